"""What ``latency.py`` measured, as JSON, and the tables that follow from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Callable

from common.machine import listed
from common.tables import count, table

from racing.columns import COLUMNS, cells, head, significant
from racing.race import Race
from racing.shapes import CARD_SECONDS, Shape, comparison
from racing.standings import Standing

# A report as JSON holds it.
Document = Any


@dataclass(frozen=True)
class LatencyReport:
    """One run of the command.

    Attributes:
        command: to type for the same numbers.
        model: the bundle's name.
        scale: of the result over the input.
        timesteps: of the model.
        cpu, platform: where it ran.
        versions: of the engines and what else counts.
        uncounted: why there are no FLOP/s; empty where there are.
        mflop_per_pixel: of the result and sampler step, None where uncounted.
        tables: each shape with its race and standings.
    """

    command: str
    model: str
    scale: int
    timesteps: int
    cpu: str
    platform: str
    versions: dict[str, str]
    uncounted: str
    mflop_per_pixel: float | None
    tables: tuple[tuple[Shape, Race, list[Standing]], ...]


def is_compared(shape: Shape, steps: int, timesteps: int) -> bool:
    """Whether the card's seconds are of such a table."""
    return shape.reading() is not None and steps == timesteps


def as_json(report: LatencyReport) -> Document:
    """Everything, down to the image."""
    tables = []
    for shape, race, found in report.tables:
        workload = race.workload
        tables.append(
            {
                "size": shape.text(report.scale),
                "lr_shape": shape.lr,
                "output_shape": [side * report.scale for side in shape.lr],
                "reading": shape.reading(),
                "compared": is_compared(shape, workload.steps, report.timesteps),
                "steps": workload.steps,
                "runs": workload.runs,
                "threads": workload.threads,
                "gemm_flops": [{**asdict(entrant), "rounds": values} for entrant, values in race.gemm.items()],
                "eps_errors": [{**asdict(entrant), "error": error} for entrant, error in race.checks.items()],
                "rows": [_row(standing) for standing in found],
            }
        )
    fields = ("command", "model", "scale", "timesteps", "cpu", "platform", "versions", "uncounted", "mflop_per_pixel")
    return {**{field: getattr(report, field) for field in fields}, "card_seconds": CARD_SECONDS, "tables": tables}


def _row(standing: Standing) -> Document:
    measured = standing.measured
    return {
        "name": standing.name,
        **asdict(measured.entrant),
        "device": measured.opened.device,
        **{column.key: column.value(standing) for column in COLUMNS},
        "speedups": standing.speedups,
        "first": asdict(measured.first),
        "images": [asdict(image) for image in measured.images],
    }


def as_text(document: Document, draw: Callable[[list[str], list[list[str]]], str] = table) -> str:
    """The tables, the command that made them and its conditions, in Markdown; ``draw`` makes a table."""
    parts = [f"```\n{document['command']}\n```", conditions(document)]
    if document["uncounted"]:
        parts.append(f"FLOP/s are left out: {document['uncounted']}.")
    for entry in document["tables"]:
        parts += [f"**{entry['size']}**", draw(head(entry), cells(entry))]
        if entry["gemm_flops"]:
            parts.append(f"Matrix products alone, TFLOP/s: {_gemm(entry)}.")
        for found in entry["eps_errors"]:
            name, error = f"{found['engine']} {found['precision']}", found["error"]
            parts.append(f"eps of {name} differs from a float32 engine's by {error:.0e}, relative.")
        parts.append(comparison(entry["reading"], entry["steps"], document["timesteps"]))
    return "\n\n".join(parts) + "\n"


def conditions(document: Document) -> str:
    first, work = document["tables"][0], document["mflop_per_pixel"]
    counted = "" if work is None else f", {work:.2f} MFLOP per pixel of it and step"
    return (
        f"Model {document['model']}: x{document['scale']}{counted}. {first['steps']} of {document['timesteps']} steps, "
        f"batch 1, {count(first['threads'], 'CPU thread')}, {count(first['runs'], 'image')} each after the first, in "
        f"turn. Sizes are height x width. On {document['cpu']}, {document['platform']}, with "
        f"{listed(document['versions'])}."
    )


def _gemm(entry: Document) -> str:
    return ", ".join(
        f"{found['engine']} {found['precision']} {significant(median(found['rounds']) / 1e12)}"
        for found in entry["gemm_flops"]
    )
