"""Quality against steps and seconds, as SVG."""

from __future__ import annotations

import io
from typing import Dict, List, Tuple

import matplotlib

matplotlib.use("svg")

from common.plot_style import STYLE
from matplotlib import pyplot

from grading.methods import Bicubic, Model
from grading.metrics import METRICS, Metric
from grading.results import MethodResults

PLOTTED = ("psnr_y", "lpips")
SIZE_INCH = (4.2, 2.9)

# What a line of a plot joins: the same engine, precision and sampler at several numbers of steps.
Series = Dict[str, List[Tuple[MethodResults, Model]]]


def quality_plots(rows: list[MethodResults]) -> list[str]:
    """SVG elements: PSNR-Y and LPIPS against steps (where there are several) and against seconds.

    Empty without a model's row. Measures that were not taken are left out.
    """
    series: Series = {}
    for row in rows:
        if isinstance(row.method, Model):
            name = f"{row.method.engine} {row.method.precision} {row.method.sampler.family}"
            series.setdefault(name, []).append((row, row.method))
    bicubic = next((row for row in rows if isinstance(row.method, Bicubic)), None)
    axes = ["steps"] if len({method.steps for lines in series.values() for _, method in lines}) > 1 else []
    axes.append("seconds per image")
    metrics = [metric for metric in METRICS if metric.key in PLOTTED]
    return [
        _plot(axis, metric, series, bicubic)
        for axis in axes
        for metric in metrics
        if any(row.mean(metric.key) is not None for lines in series.values() for row, _ in lines)
    ]


def _plot(
    axis: str, metric: Metric, series: dict[str, list[tuple[MethodResults, Model]]], bicubic: MethodResults | None
) -> str:
    with pyplot.rc_context({**STYLE, "svg.hashsalt": "quality", "svg.fonttype": "path"}):
        figure, plot = pyplot.subplots(figsize=SIZE_INCH, layout="constrained")
        furthest = 0.0
        for name, lines in series.items():
            points = sorted(
                (
                    method.steps if axis == "steps" else row.mean_seconds,
                    row.mean(metric.key),
                    row.spread(metric.key) or 0.0,
                )
                for row, method in lines
            )
            x, y, error = zip(*points)
            furthest = max(furthest, *x)
            plot.errorbar(x, y, yerr=error if any(error) else None, marker="o", markersize=4, capsize=2, label=name)
        level = None if bicubic is None else bicubic.mean(metric.key)
        if level is not None:
            plot.axhline(level, color="grey", linestyle="--", label="bicubic")
        plot.set_xlabel(axis)
        plot.set_ylabel(f"{metric.title} ({metric.better} is better)")
        plot.set_xlim(0, 1.06 * furthest)
        plot.legend(frameon=False, fontsize=8)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    text = stream.getvalue()
    return text[text.index("<svg") :]
