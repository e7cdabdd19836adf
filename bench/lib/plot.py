"""Horizontal bars as SVG, without any library. The scale is logarithmic: the systems lie decades apart."""

import math
from html import escape

ROW, LEFT, WIDTH, TOP = 26, 190, 420, 44


def bars(title, rows):
    """`rows`: (label, value, is it ours, class of durability). The longest bar comes first."""
    rows = sorted(rows, key=lambda row: -row[1])
    values = [max(value, 1e-3) for _, value, _, _ in rows]
    low, high = math.log10(min(values)) - 0.3, math.log10(max(values))
    height = TOP + ROW * len(rows) + 28
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 110} {height}" '
        f'font-family="sans-serif" font-size="13" role="img" aria-label="{escape(title)}">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15" font-weight="bold" fill="#1f2933">{escape(title)}</text>',
    ]
    for place, (label, value, ours, durability) in enumerate(rows):
        y = TOP + place * ROW
        span = (math.log10(max(value, 1e-3)) - low) / max(high - low, 1e-9)
        fill = "#c2410c" if ours else ("#1d4ed8" if durability == "disk" else "#64748b")
        weight = ' font-weight="bold"' if ours else ""
        shown = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
        end = LEFT + max(4, span * WIDTH)
        parts.append(f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end" fill="#1f2933"{weight}>{escape(label)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{end - LEFT:.1f}" height="{ROW - 8}" fill="{fill}" rx="2"/>')
        parts.append(f'<text x="{end + 6:.1f}" y="{y + 15}" fill="#1f2933"{weight}>{shown}</text>')
    key = "orange: Shopfloor · blue: on disk before it is confirmed · grey: may lose a second · logarithmic scale"
    parts.append(f'<text x="12" y="{height - 10}" font-size="11" fill="#52606d">{key}</text></svg>')
    return "\n".join(parts) + "\n"
