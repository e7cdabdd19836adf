"""Asks a person which column to look at, then summarises that one.

`shopfloor.ask` returns the answer when there is one. Until then the run ends there, and once somebody has answered the
script is run again from the top, with the answer in hand: what stands before the question should be cheap.
"""

import os
from pathlib import Path

import pandas as pd
import shopfloor

INPUTS = Path(os.environ["SHOPFLOOR_INPUTS"])
ARTIFACTS = Path(os.environ["SHOPFLOOR_ARTIFACTS"])


def main() -> None:
    """Reads the first CSV file there is, asks, summarises."""
    source = next(iter(sorted(INPUTS.glob("*.csv"))))
    data = pd.read_csv(source)
    numeric = [str(name) for name in data.select_dtypes("number").columns]
    column = shopfloor.ask(f"Which column of {source.name} shall I summarise?", options=numeric, default=numeric[-1])

    summary = data[column].describe().round(3)
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    summary.rename_axis("statistic").to_csv(ARTIFACTS / "summary.csv")
    print(f"{column}: {int(summary['count'])} values, mean {summary['mean']}, from {summary['min']} to {summary['max']}")


main()
