"""Draw the rates at 64 in flight: `python chart.py RESULTS.json CHART.svg`.

Run by the peers' environment, which has matplotlib; it imports nothing of Warren.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

CONCURRENCY = 64
# Grey of middle lightness, and no background: readable on white and on black.
INK = "#6e7781"
COLOURS = {"Warren": "#d1242f", "ONNX": "#3b82c4", "scikit-learn": "#8fa3b8"}


def draw(rows: list[dict[str, Any]], to: Path) -> None:
    """Draw a bar for each system and model, the fastest on top."""
    chosen = [row for row in rows if row["in flight"] == CONCURRENCY]
    chosen.sort(key=lambda row: row["rate/s"])
    mpl.rcParams.update(
        {
            "svg.fonttype": "none",  # text stays text
            "svg.hashsalt": "warren",  # the same figures give the same file
            "font.family": "sans-serif",
            "font.size": 11,
            "text.color": INK,
            "axes.labelcolor": INK,
        }
    )
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(chosen) + 1))
    names = [f"{row['system']} ({row['model']})" for row in chosen]
    kinds = ["Warren" if row["system"] == "Warren" else row["model"] for row in chosen]
    bars = axes.barh(
        names, [row["rate/s"] for row in chosen], color=[COLOURS[k] for k in kinds], height=0.7
    )
    axes.bar_label(bars, labels=[f"{row['rate/s']:,}" for row in chosen], padding=5, color=INK)
    axes.set_title(f"Predictions a second, {CONCURRENCY} in flight", loc="left", color=INK)
    axes.margins(x=0.1, y=0.02)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=INK)
    axes.xaxis.set_visible(False)
    figure.savefig(to, transparent=True, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    draw(json.loads(source.read_text())["compare"]["rows"], target)
