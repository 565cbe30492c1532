"""What was measured, as JSON and Markdown."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from typing import Any

from common.tables import count, table

from grading.gate import Verdict
from grading.methods import Consistent, Mean, Method, Model
from grading.metrics import METRICS, Metric
from grading.results import Row
from srdiff_training.measure.pairs import DataSet


@dataclass(frozen=True)
class Report:
    """One run of the command.

    Attributes:
        command: to type for the same numbers.
        model: the bundle's name.
        crop: border left out of PSNR and SSIM, HR pixels.
        missing: why LPIPS was not measured; empty where it was.
        versions: of the engines and what else counts.
        tables: each data set with its rows.
        verdicts: the gate's; None where it was not asked for.
    """

    command: str
    model: str
    crop: int
    missing: str
    versions: dict[str, str]
    tables: tuple[tuple[DataSet, list[Row]], ...]
    verdicts: list[Verdict] | None

    @property
    def conditions(self) -> str:
        border = f"without a border of {self.crop} pixels" if self.crop else "with the whole image"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items() if version)
        return (
            f"Model {self.model}. PSNR and SSIM {border}; Y is BT.601's; FLIP at 67 pixels per degree; "
            "LR-PSNR is the result "
            f"shrunk by MATLAB bicubic against the input. Seconds are per image, without compiling, on "
            f"{platform.machine()} with {versions}."
        )


def cells(row: Row) -> list[str]:
    """A row of the table: method, measures, seconds."""
    texts = [row.method.label]
    for metric in METRICS:
        texts.append(with_spread(metric, row.mean(metric.key), row.spread(metric.key)))
    return [*texts, _seconds(row)]


def _seconds(row: Row) -> str:
    """Of a result; of what is derived from others, what it adds to theirs."""
    if row.mean_seconds is None or isinstance(row.method, Mean):
        return ""
    return f"{'+' if isinstance(row.method, Consistent) else ''}{row.mean_seconds:.1f}"


def with_spread(metric: Metric, value: float | None, spread: float | None) -> str:
    return metric.text(value) + ("" if spread is None else f" ± {metric.text(spread)}")


def head() -> list[str]:
    arrows = {"higher": "↑", "lower": "↓"}
    return ["Method", *(f"{metric.title} {arrows[metric.better]}" for metric in METRICS), "s"]


VERDICT_HEAD = [
    "Data",
    "Method",
    "Reference",
    "PSNR-Y change dB",
    "LPIPS change",
    "Worst parity dB",
    "Largest difference",
    "Gate",
]


def verdict_cells(verdict: Verdict) -> list[str]:
    return [
        verdict.data,
        verdict.label,
        verdict.reference,
        f"{verdict.psnr_change:+.4f}",
        "n/a" if verdict.lpips_change is None else f"{verdict.lpips_change:+.5f}",
        f"{verdict.parity:.1f}",
        count(verdict.levels, "level"),
        "; ".join(verdict.reasons) or "passed",
    ]


def markdown(report: Report) -> str:
    """The tables, the command that made them and its conditions."""
    parts = [f"```\n{report.command}\n```", report.conditions]
    if report.missing:
        parts.append(f"LPIPS was not measured: {report.missing}.")
    for data, rows in report.tables:
        parts += [
            f"**{data.name}** x4, {count(len(data.pairs), 'image')}",
            table(head(), [cells(row) for row in rows]),
        ]
    if report.verdicts is not None:
        parts += [
            "**Parity gate**",
            table(VERDICT_HEAD, [verdict_cells(verdict) for verdict in report.verdicts]),
        ]
    return "\n\n".join(parts) + "\n"


def as_json(report: Report) -> dict[str, Any]:
    """Everything, down to the image and seed."""
    tables = []
    for data, rows in report.tables:
        tables.append({"data": data.name, "rows": [_row_json(row) for row in rows]})
    verdicts = None
    if report.verdicts is not None:
        verdicts = [{**asdict(verdict), "missed": verdict.reasons} for verdict in report.verdicts]
    return {
        "command": report.command,
        "model": report.model,
        "crop": report.crop,
        "lpips_missing": report.missing,
        "versions": report.versions,
        "tables": tables,
        "gate": verdicts,
    }


def _row_json(row: Row) -> dict[str, Any]:
    method: Method = row.method
    setting = {}
    if isinstance(method, Model):
        setting = {
            "engine": method.engine,
            "precision": method.precision,
            "sampler": method.sampler.family,
            "steps": method.steps,
        }
    return {
        "method": method.label,
        **setting,
        "seeds": method.seeds,
        "mean": {metric.key: row.mean(metric.key) for metric in METRICS},
        "spread": {metric.key: row.spread(metric.key) for metric in METRICS},
        "seconds": row.mean_seconds,
        "images": {
            image: [{**entry, "seconds": seconds} for entry, seconds in zip(entries, row.seconds[image])]
            for image, entries in row.metrics.items()
        },
    }
