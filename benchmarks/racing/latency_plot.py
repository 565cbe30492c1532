"""Where the seconds of an image go, as PNG."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import matplotlib

from racing.latency_report import LatencyReport, is_compared
from racing.shapes import CARD_SECONDS
from racing.standings import Standing

matplotlib.use("agg")

from common.plot_style import STYLE
from matplotlib import pyplot
from matplotlib.axes import Axes

WIDTH_INCH, BAR_INCH, FRAME_INCH = 7.5, 0.36, 1.0
DPI = 150
PARTS = (("UNet steps", "#3b6fb6"), ("encoder", "#8db4e0"), ("outside the engine", "#d9822b"))


def plot(report: LatencyReport, file: Path) -> None:
    """Write a PNG with a panel per shape: median seconds per image in parts, fastest and slowest as a line."""
    heights = [FRAME_INCH + BAR_INCH * len(rows) for _, _, rows in report.tables]
    with pyplot.rc_context(STYLE):
        figure, panels = pyplot.subplots(
            len(heights),
            figsize=(WIDTH_INCH, sum(heights)),
            layout="constrained",
            squeeze=False,
            gridspec_kw={"height_ratios": heights},
        )
        for panel, (shape, race, rows) in zip(panels[:, 0], report.tables):
            compared = is_compared(shape, race.workload.steps, report.timesteps)
            _bars(panel, rows, compared)
            panel.set_title(f"{report.model}, {shape.text(report.scale)}, {race.workload.steps} steps", loc="left")
        legend = {label: handle for panel in panels[:, 0] for handle, label in zip(*panel.get_legend_handles_labels())}
        figure.legend(list(legend.values()), list(legend), frameon=False, loc="outside lower center", ncols=len(legend))
        figure.savefig(str(file), format="png", dpi=DPI)
        pyplot.close(figure)


def _bars(panel: Axes, rows: list[Standing], compared: bool) -> None:
    places = range(len(rows))
    left = [0.0] * len(rows)
    for (label, color), widths in zip(PARTS, zip(*(_parts(row) for row in rows))):
        panel.barh(places, widths, left=left, height=0.65, label=label, color=color)
        left = [before + width for before, width in zip(left, widths)]
    middles = [median(row.seconds) for row in rows]
    spread = [
        [middle - min(row.seconds) for middle, row in zip(middles, rows)],
        [max(row.seconds) - middle for middle, row in zip(middles, rows)],
    ]
    panel.errorbar(middles, places, xerr=spread, fmt="none", ecolor="black", capsize=3, linewidth=1)
    furthest = max(max(row.seconds) for row in rows)
    for place, row, middle in zip(places, rows, middles):
        panel.text(max(row.seconds) + 0.015 * furthest, place, f"{middle:.3g} s", va="center", fontsize=8)
    if compared:
        panel.axvline(
            CARD_SECONDS, color="grey", linestyle="--", label=f"the card's {CARD_SECONDS} s, on an Ascend 910"
        )
    panel.set_yticks(list(places), [row.name for row in rows])
    panel.invert_yaxis()
    panel.grid(visible=False, axis="y")
    panel.set_xlim(0, 1.12 * max(furthest, CARD_SECONDS if compared else 0))
    panel.set_xlabel("seconds per image")


def _parts(row: Standing) -> tuple[float, float, float]:
    """Of the median image: seconds in the steps, in the encoder, and outside the engine."""
    images = sorted(row.measured.images, key=lambda image: image.seconds)
    image = images[(len(images) - 1) // 2]
    return image.step, image.encoder, image.seconds * image.outside
