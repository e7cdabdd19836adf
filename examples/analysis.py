"""How regular is the sunspot cycle? Reads yearly sunspot numbers, writes a chart and a table of the cycles.

Takes a second or two. Needs one input file with the columns YEAR and SUNACTIVITY.
"""

import os
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

INPUTS = Path(os.environ.get("SHOPFLOOR_INPUTS", "data"))
ARTIFACTS = Path(os.environ.get("SHOPFLOOR_ARTIFACTS", "artifacts"))
RESAMPLES = 5000
BATCH = 500
SECONDS = 1.0  # spent between the batches, so that there is something to watch


def read() -> pd.Series:
    """The sunspot number of each year."""
    data = pd.read_csv(INPUTS / "sunspots.csv")
    return pd.Series(data["SUNACTIVITY"].to_numpy(), index=data["YEAR"].astype(int), name="sunspots")


def minima(numbers: pd.Series) -> list[int]:
    """The years in which one cycle ends and the next begins: the lowest within five years either way."""
    smooth = numbers.rolling(3, center=True, min_periods=1).mean()
    lowest = smooth.rolling(11, center=True, min_periods=6).min()
    years = list(numbers.index[smooth == lowest])
    return [year for i, year in enumerate(years) if i == 0 or year - years[i - 1] > 5]


def cycles(numbers: pd.Series) -> pd.DataFrame:
    """One row per whole cycle: when it began, how long it took, how high it rose."""
    rows = []
    bounds = minima(numbers)
    for begin, end in zip(bounds, bounds[1:]):
        part = numbers.loc[begin : end - 1]
        peak = int(part.idxmax())
        rows.append((begin, end - 1, end - begin, peak, float(part.max()), round(float(part.mean()), 1)))
    return pd.DataFrame(rows, columns=["begin", "end", "years", "peak_year", "peak", "mean"])


def interval(lengths: np.ndarray) -> tuple[float, float]:
    """A 95 % interval of the mean cycle length, by resampling."""
    random = np.random.default_rng(1700)
    means = []
    pause = SECONDS / RESAMPLES * BATCH
    for number in range(1, RESAMPLES + 1):
        means.append(random.choice(lengths, lengths.size).mean())
        if number % BATCH == 0:
            print(f"{number} of {RESAMPLES} resamples", flush=True)
            time.sleep(pause)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def chart(numbers: pd.Series, table: pd.DataFrame) -> None:
    """Draws the numbers with the peak of every cycle marked."""
    figure, axes = plt.subplots(figsize=(10, 4), dpi=120, layout="constrained")
    axes.fill_between(numbers.index, numbers, alpha=0.25)
    axes.plot(numbers.index, numbers, linewidth=1)
    axes.plot(table["peak_year"], table["peak"], "o", markersize=4, label="peak of a cycle")
    axes.set(title="Sunspots per year", xlabel="year", ylabel="sunspot number")
    axes.legend(frameon=False)
    figure.savefig(ARTIFACTS / "sunspots.png")


def main() -> None:
    """Reads, computes, draws, writes."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    numbers = read()
    print(f"{len(numbers)} years, {numbers.index[0]} to {numbers.index[-1]}", flush=True)
    table = cycles(numbers)
    low, high = interval(table["years"].to_numpy())
    table.to_csv(ARTIFACTS / "cycles.csv", index=False)
    chart(numbers, table)
    print(f"{len(table)} cycles of {table['years'].mean():.1f} years on average (95 %: {low:.1f} to {high:.1f})")
    highest = table.loc[table["peak"].idxmax()]
    print(f"the highest peak was {highest['peak']:.1f} in {int(highest['peak_year'])}")


main()
