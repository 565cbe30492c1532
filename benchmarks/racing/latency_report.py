"""What ``latency.py`` measured, as a table, Markdown and JSON."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Callable

from common.tables import count, table

from racing.flops import FlopCounter
from racing.peers import PEERS
from racing.race import Measured, Race, Timing

CARD_SECONDS = 0.96
MIB = 2**20

# What the model card's "0.96 s, 320x270" may mean.
AS_INPUT = "the card's 320x270 read as the size of the input"
AS_OUTPUT = "the card's 320x270 read as the size of the result"
AS_TILE = "the card's 0.96 s read as the time of one 64x64 tile, which its export computes at a time"


@dataclass(frozen=True)
class Shape:
    """A size that was asked for.

    Attributes:
        lr: height and width of the input.
        output: of the result, where that was asked for; the input is the smallest that covers it.
    """

    lr: tuple[int, int]
    output: tuple[int, int] | None = None

    def reading(self) -> str | None:
        """How the card's seconds are read to be those of this shape; None where no reading fits."""
        if self.output is not None and set(self.output) == {320, 270}:
            return AS_OUTPUT
        if set(self.lr) == {320, 270}:
            return AS_INPUT
        return AS_TILE if self.lr == (64, 64) else None

    def text(self, scale: int) -> str:
        result = "x".join(str(side * scale) for side in self.lr)
        wanted = "" if self.output is None else "x".join(map(str, self.output))
        return f"{self.lr[0]}x{self.lr[1]} to {result}" + (f", for {wanted}" if wanted not in ("", result) else "")


@dataclass(frozen=True)
class Row:
    """One entrant's numbers at one shape; medians are over the images after the first.

    Attributes:
        measured: what they follow from.
        flops: per second of the step graph's runs, one value per image; None where they could not be counted.
        peak_shares: of the best matrix product at that precision in the same round, likewise.
        speedups: over each peer, by its name: the median over the rounds of its seconds over these.
    """

    measured: Measured
    steps: int
    flops: tuple[float, ...] | None
    peak_shares: tuple[float, ...] | None
    speedups: dict[str, float]

    @property
    def name(self) -> str:
        device = self.measured.opened.device
        return f"{self.measured.entrant}" if device == "cpu" else f"{self.measured.entrant} on {device}"

    @property
    def load(self) -> float:
        return self.measured.opened.seconds + self.measured.first.compile

    @property
    def first(self) -> float:
        return self.measured.opened.seconds + self.measured.first.seconds

    @property
    def seconds(self) -> list[float]:
        return [image.seconds for image in self.measured.images]

    @property
    def step_seconds(self) -> float:
        """Of a sampler step, within the engine."""
        return median(image.step for image in self.measured.images) / self.steps

    @property
    def outside(self) -> float:
        return median(image.outside for image in self.measured.images)


def rows(race: Race, counter: FlopCounter | None) -> list[Row]:
    """The table's rows from top to bottom."""
    peers = [measured for measured in race.measured if measured.entrant.engine in PEERS]
    found = []
    for measured in race.measured:
        flops = shares = None
        if counter is not None:
            flops = tuple(image_flops(measured, image, counter) / image.step for image in measured.images)
            shares = _shares(race, measured, flops)
        speedups = {}
        for peer in peers:
            pairs = zip(peer.images, measured.images)
            speedups[str(peer.entrant)] = median(theirs.seconds / own.seconds for theirs, own in pairs)
        found.append(Row(measured, race.setting.steps, flops, shares, speedups))
    return found


def image_flops(measured: Measured, image: Timing, counter: FlopCounter) -> int:
    """Operations of all runs of the step graph for an image."""
    flops = counter.count("step", image.shapes["step"])
    if measured.entrant.engine == "upstream-graph":  # whose step has the encoder in it
        flops += counter.count("encoder", image.shapes["encoder"])
    return flops * image.step_calls


def _shares(race: Race, measured: Measured, flops: tuple[float, ...]) -> tuple[float, ...] | None:
    rates = [values for entrant, values in race.gemm.items() if entrant.precision == measured.entrant.precision]
    return tuple(own / max(round) for own, *round in zip(flops, *rates)) if rates else None


@dataclass(frozen=True)
class Report:
    """One run of the command.

    Attributes:
        command: to type for the same numbers.
        model: the bundle's name.
        scale: of the result over the input.
        timesteps: of the model.
        cpu: its name.
        versions: of the engines and what else counts.
        uncounted: why there are no FLOP/s; empty where there are.
        mflop_per_pixel: of the result and sampler step, None where uncounted.
        tables: each shape with its race and rows.
    """

    command: str
    model: str
    scale: int
    timesteps: int
    cpu: str
    versions: dict[str, str]
    uncounted: str
    mflop_per_pixel: float | None
    tables: tuple[tuple[Shape, Race, list[Row]], ...]

    @property
    def conditions(self) -> str:
        setting = self.tables[0][1].setting
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items() if version)
        work = "" if self.mflop_per_pixel is None else f", {self.mflop_per_pixel:.2f} MFLOP per pixel of it and step"
        return (
            f"Model {self.model}: x{self.scale}{work}. {setting.steps} of {self.timesteps} steps, batch 1, "
            f"{count(setting.threads, 'CPU thread')}, {count(setting.runs, 'image')} each after the first, "
            f"in turn. Sizes are height x width. On {self.cpu}, {platform.system()} {platform.machine()}, with "
            f"{versions}."
        )


def as_text(report: Report, draw: Callable[[list[str], list[list[str]]], str] = table) -> str:
    """The tables, the command that made them and its conditions, in Markdown; ``draw`` makes a table."""
    parts = [f"```\n{report.command}\n```", report.conditions]
    if report.uncounted:
        parts.append(f"FLOP/s are left out: {report.uncounted}.")
    for shape, race, found in report.tables:
        compared = shape.reading() is not None and race.setting.steps == report.timesteps
        parts.append(f"**{shape.text(report.scale)}**")
        parts.append(draw(_head(found, compared), [_cells(row, compared) for row in found]))
        if race.gemm:
            parts.append(f"Matrix products alone, TFLOP/s: {_gemm(race)}.")
        for entrant, error in race.checks.items():
            parts.append(f"eps of {entrant} differs from a float32 engine's by {error:.0e}, relative.")
        parts.append(_comparison(shape, race.setting.steps, report.timesteps))
    return "\n\n".join(parts) + "\n"


def _head(found: list[Row], compared: bool) -> list[str]:
    return [
        "Engine",
        "Load s",
        "First image s",
        "s per image",
        "min-max",
        "ms per step",
        "Outside engine",
        *(["TFLOP/s"] if found[0].flops else []),
        *(["Of GEMM peak"] if found[0].peak_shares else []),
        "Peak MiB",
        "of it library",
        *(f"{peer} / this" for peer in found[0].speedups),
        *([f"this / {CARD_SECONDS} s"] if compared else []),
    ]


def _cells(row: Row, compared: bool) -> list[str]:
    middle = median(row.seconds)
    return [
        row.name,
        _significant(row.load),
        _significant(row.first),
        _significant(middle),
        f"{_significant(min(row.seconds))}-{_significant(max(row.seconds))}",
        _significant(1000 * row.step_seconds),
        f"{row.outside:.1%}",
        *([_significant(median(row.flops) / 1e12)] if row.flops else []),
        *([f"{median(row.peak_shares):.0%}"] if row.peak_shares else []),
        f"{row.measured.peak_bytes / MIB:.0f}",
        f"{row.measured.opened.library_bytes / MIB:.0f}",
        *(f"{speedup:.2f}" for speedup in row.speedups.values()),
        *([_significant(middle / CARD_SECONDS)] if compared else []),
    ]


def _gemm(race: Race) -> str:
    return ", ".join(f"{entrant} {_significant(median(values) / 1e12)}" for entrant, values in race.gemm.items())


def _comparison(shape: Shape, steps: int, timesteps: int) -> str:
    """What the card's seconds have to do with this table."""
    if shape.reading() is None:
        return (
            f"Not comparable with the model card's {CARD_SECONDS} s per image, which may be 320x270 as the input "
            "(`--lr 320x270`), as the result (`--output 320x270`), or one tile (`--lr 64x64`)."
        )
    source = f"{CARD_SECONDS} s was measured by the card's authors on an Ascend 910, and is not repeated here"
    if steps != timesteps:
        return f"Not compared with {shape.reading()}: those are all {timesteps} steps, these {steps}. {source}."
    return f"The last column compares with {shape.reading()}. {source}."


def _significant(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def as_json(report: Report) -> dict[str, Any]:
    """Everything, down to the image."""
    tables = []
    for shape, race, found in report.tables:
        tables.append(
            {
                "lr_shape": shape.lr,
                "output_shape": [side * report.scale for side in shape.lr],
                "reading": shape.reading(),
                "steps": race.setting.steps,
                "threads": race.setting.threads,
                "gemm_flops": [{**asdict(entrant), "rounds": values} for entrant, values in race.gemm.items()],
                "eps_errors": [{**asdict(entrant), "error": error} for entrant, error in race.checks.items()],
                "rows": [_row_json(row) for row in found],
            }
        )
    return {
        "command": report.command,
        "model": report.model,
        "timesteps": report.timesteps,
        "cpu": report.cpu,
        "versions": report.versions,
        "uncounted": report.uncounted,
        "mflop_per_pixel": report.mflop_per_pixel,
        "card_seconds": CARD_SECONDS,
        "tables": tables,
    }


def _row_json(row: Row) -> dict[str, Any]:
    measured = row.measured
    return {
        **asdict(measured.entrant),
        "device": measured.opened.device,
        "load_s": row.load,
        "first_image_s": row.first,
        "seconds": {"median": median(row.seconds), "min": min(row.seconds), "max": max(row.seconds)},
        "step_ms": 1000 * row.step_seconds,
        "outside": row.outside,
        "flops": None if row.flops is None else median(row.flops),
        "peak_share": None if row.peak_shares is None else median(row.peak_shares),
        "peak_bytes": measured.peak_bytes,
        "library_bytes": measured.opened.library_bytes,
        "speedups": row.speedups,
        "first": asdict(measured.first),
        "images": [asdict(image) for image in measured.images],
    }
