"""What was measured, as JSON, and the tables that follow from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, List, Tuple

from common.machine import listed
from common.tables import count, table

from grading.gate import Verdict
from grading.methods import Consistent, Mean, Model
from grading.metrics import METRICS, Metric
from grading.photos import Subjects
from grading.results import MethodResults

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

# A report as JSON holds it.
Document = Any
# Each data set with its methods' results.
Tables = Tuple[Tuple[Subjects, List[MethodResults]], ...]


@dataclass(frozen=True)
class QualityReport:
    """One run of the command.

    Attributes:
        command: to type for the same numbers.
        model: the bundle's name.
        scale: of the result over the input.
        crop: border left out of PSNR and SSIM, HR pixels.
        missing: why a measure was not taken, by its title.
        cpu, platform: where it ran.
        versions: of the engines and what else counts.
        tables: see there.
        verdicts: the gate's; None where it was not asked for.
    """

    command: str
    model: str
    scale: int
    crop: int
    missing: dict[str, str]
    cpu: str
    platform: str
    versions: dict[str, str]
    tables: Tables
    verdicts: list[Verdict] | None


def as_json(report: QualityReport) -> Document:
    """Everything, down to the image and seed."""
    fields = ("command", "model", "scale", "crop", "missing", "cpu", "platform", "versions")
    verdicts = report.verdicts
    return {
        **{field: getattr(report, field) for field in fields},
        "tables": [
            {"data": data.name, "count": len(data.pairs), "rows": [_row(results) for results in found]}
            for data, found in report.tables
        ],
        "gate": None if verdicts is None else [{**asdict(verdict), "missed": verdict.reasons} for verdict in verdicts],
    }


def _row(results: MethodResults) -> Document:
    method = results.method
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
        "mean": {metric.key: results.mean(metric.key) for metric in METRICS},
        "spread": {metric.key: results.spread(metric.key) for metric in METRICS},
        # A mean's results were made for the rows above it; of a projection, only it is timed.
        "seconds": None if isinstance(method, Mean) else results.mean_seconds,
        "seconds_added": isinstance(method, Consistent),
        "images": {
            image: [{**entry, "seconds": seconds} for entry, seconds in zip(entries, results.seconds[image])]
            for image, entries in results.scores.items()
        },
    }


def markdown(document: Document) -> str:
    """The tables, the command that made them and its conditions."""
    parts = [f"```\n{document['command']}\n```", conditions(document), *omissions(document)]
    for entry in document["tables"]:
        parts += [
            f"**{entry['data']}** x{document['scale']}, {count(entry['count'], 'image')}",
            table(head(entry), cells(entry)),
        ]
    if document["gate"] is not None:
        parts += ["**Parity gate**", table(VERDICT_HEAD, [verdict_cells(verdict) for verdict in document["gate"]])]
    return "\n\n".join(parts) + "\n"


def conditions(document: Document) -> str:
    """Under which the numbers were taken, and what they are."""
    border = f"without a border of {document['crop']} pixels" if document["crop"] else "with the whole image"
    return (
        f"Model {document['model']}. PSNR and SSIM {border}; Y is BT.601's; FLIP at 67 pixels per degree; LR-PSNR is "
        f"the result shrunk by MATLAB bicubic against the input. Seconds are per image, without compiling, on "
        f"{document['cpu']}, {document['platform']}, with {listed(document['versions'])}."
    )


def omissions(document: Document) -> list[str]:
    return [f"{title} was not measured: {reason}." for title, reason in document["missing"].items()]


def head(entry: Document) -> list[str]:
    arrows = {"higher": "↑", "lower": "↓"}
    return ["Method", *(f"{metric.title} {arrows[metric.better]}" for metric in taken(entry)), "s"]


def cells(entry: Document) -> list[list[str]]:
    """A data set's rows: method, measures, seconds."""
    return [
        [
            row["method"],
            *(with_spread(metric, row["mean"][metric.key], row["spread"][metric.key]) for metric in taken(entry)),
            "" if row["seconds"] is None else f"{'+' if row['seconds_added'] else ''}{row['seconds']:.1f}",
        ]
        for row in entry["rows"]
    ]


def taken(entry: Document) -> list[Metric]:
    """The measures that the data set has: photos without a truth have few, and an older report may lack one."""
    return [m for m in METRICS if any(row["mean"].get(m.key) is not None for row in entry["rows"])]


def with_spread(metric: Metric, value: float | None, spread: float | None) -> str:
    return metric.text(value) + ("" if spread is None else f" ± {metric.text(spread)}")


def verdict_cells(verdict: Document) -> list[str]:
    return [
        verdict["data"],
        verdict["label"],
        verdict["reference"],
        f"{verdict['psnr_change']:+.4f}",
        "n/a" if verdict["lpips_change"] is None else f"{verdict['lpips_change']:+.5f}",
        f"{verdict['parity']:.1f}",
        count(verdict["levels"], "level"),
        "; ".join(verdict["missed"]) or "passed",
    ]
