"""The columns of the table of seconds: a new one is a line in ``COLUMNS``, and JSON and tables have it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, Callable

from racing.shapes import CARD_SECONDS
from racing.standings import Standing

MIB = 2**20


@dataclass(frozen=True)
class Column:
    """One number of an entrant.

    Attributes:
        key: of its value in JSON; two columns may show the same value.
        title: for a reader, with the unit.
        value: of a standing, as JSON takes it; None where there is none. A column of nothing but None is left out.
        text: of a value that is not None.
    """

    key: str
    title: str
    value: Callable[[Standing], Any]
    text: Callable[[Any], str]


def significant(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _seconds(standing: Standing) -> dict[str, float]:
    seconds = standing.seconds
    return {"median": median(seconds), "min": min(seconds), "max": max(seconds)}


def _milliseconds(standing: Standing) -> float | None:
    return None if standing.step_seconds is None else 1000 * standing.step_seconds


COLUMNS = (
    Column("load_s", "Load s", lambda s: s.load, significant),
    Column("first_image_s", "First image s", lambda s: s.first, significant),
    Column("seconds", "s per image", _seconds, lambda v: significant(v["median"])),
    Column("seconds", "min-max", _seconds, lambda v: f"{significant(v['min'])}-{significant(v['max'])}"),
    Column("step_ms", "ms per step", _milliseconds, significant),
    Column("outside", "Outside engine", lambda s: s.outside, lambda v: f"{v:.1%}"),
    Column("flops", "TFLOP/s", lambda s: s.flops and median(s.flops), lambda v: significant(v / 1e12)),
    Column("peak_share", "Of GEMM peak", lambda s: s.peak_shares and median(s.peak_shares), lambda v: f"{v:.0%}"),
    Column("peak_bytes", "Peak MiB", lambda s: s.measured.peak_bytes, lambda v: f"{v / MIB:.0f}"),
    Column("library_bytes", "of it library", lambda s: s.measured.opened.library_bytes, lambda v: f"{v / MIB:.0f}"),
)


def head(entry: Any) -> list[str]:
    """Titles of the columns that a table of a report's JSON has."""
    compared = [f"this / {CARD_SECONDS} s"] if entry["compared"] else []
    peers = [f"{peer} / this" for peer in entry["rows"][0]["speedups"]]
    return ["Engine", *(column.title for column in _shown(entry)), *peers, *compared]


def cells(entry: Any) -> list[list[str]]:
    """The rows of that table."""
    rows = []
    for row in entry["rows"]:
        values = [(column, row.get(column.key)) for column in _shown(entry)]
        texts = ["" if value is None else column.text(value) for column, value in values]
        peers = [f"{speedup:.2f}" for speedup in row["speedups"].values()]
        card = [significant(row["seconds"]["median"] / CARD_SECONDS)] if entry["compared"] else []
        rows.append([row["name"], *texts, *peers, *card])
    return rows


def _shown(entry: Any) -> list[Column]:
    return [column for column in COLUMNS if any(row.get(column.key) is not None for row in entry["rows"])]
