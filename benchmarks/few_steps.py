"""Seconds of ``upscale`` alone: one step, ten, a hundred, and one pass of Real-ESRGAN.

    python benchmarks/few_steps.py

Each way has a process of its own; they take turns, image by image. Compiling does not count, and neither does a first
image where there are several. Of all steps, which take minutes, there is one image of each size.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
from common.commands import insert_options, show, typed_command, under, write_json
from common.machine import listed, platform_name, versions
from common.real_esrgan import SCALE
from common.tables import around_marks, count, table
from racing.columns import significant
from racing.few_steps_ways import ESRGAN, FULL, ONE, TEN, WAYS, Maker, Way
from racing.processes import Remote
from tqdm import tqdm

from srdiff.atomic_files import require_writable
from srdiff.commands.command import Command
from srdiff.cpu import this_cpu
from srdiff.engines import PRECISIONS
from srdiff.machine import usable_cpus

OFTEN = 1024  # side of the largest result that every way makes, and as often as --runs says


@dataclass(frozen=True)
class Turn:
    """A round of images of one size: who takes part."""

    side: int
    ways: tuple[Way, ...]
    counts: bool


@click.command(cls=Command)
@click.option(
    "--side",
    "sides",
    type=click.IntRange(16),
    multiple=True,
    default=(256, 1024),
    show_default=True,
    help=f"Of the result, in pixels; repeatable. Above {OFTEN} each way makes one image, and all steps none.",
)
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Images of each way that count.")
@click.option("--precision", type=click.Choice(["auto", *PRECISIONS]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="CPU threads of each.  [default: one per usable CPU]")
@click.option("--without-peer", is_flag=True, help="Leave Real-ESRGAN out, which needs ncnn and its weights.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write what was measured here.")
@insert_options("few_steps")
def main(
    sides: tuple[int, ...],
    runs: int,
    precision: str,
    threads: int | None,
    without_peer: bool,
    json_file: Path | None,
    insert_file: Path | None,
    mark: str,
) -> None:
    """Measure one step against ten, a hundred and Real-ESRGAN."""
    if json_file is not None:
        require_writable(json_file)
    if insert_file is not None:
        around_marks(insert_file, mark)
    threads = threads or usable_cpus()
    ways = tuple(way for way in WAYS if not (without_peer and way == ESRGAN))
    rounds, engine = raced([turn for side in sides for turn in turns(side, runs, ways)], precision, threads)
    document = {
        "command": typed_command("few_steps.py"),
        "cpu": str(this_cpu()),
        "platform": platform_name(),
        "engine": engine,
        "versions": versions(()),
        "threads": threads,
        "rounds": rounds,
    }
    if json_file is not None:
        write_json(json_file, document)
    show(markdown(document), insert_file, mark)


def turns(side: int, runs: int, ways: tuple[Way, ...]) -> list[Turn]:
    """The rounds of a size; the first image of several is made and does not count."""
    quick = tuple(way for way in ways if way != FULL)
    if side > OFTEN:
        return [Turn(side, quick, counts=True)]
    return [
        Turn(side, quick, counts=False),
        Turn(side, ways, counts=True),
        *[Turn(side, quick, counts=True)] * (runs - 1),
    ]


def raced(turns: list[Turn], precision: str, threads: int) -> tuple[list[dict[str, Any]], str]:
    """What counts, by size and way; and what the models ran on."""
    rounds = []
    ways = dict.fromkeys(way for turn in turns for way in turn.ways)
    total = sum(len(turn.ways) for turn in turns)
    with ExitStack() as stack, tqdm(total=total, unit="image", disable=None) as bar:
        makers = {way: stack.enter_context(Remote(way.name, Maker, way, precision, threads)) for way in ways}
        for turn in turns:
            made = {}
            for way in turn.ways:
                bar.set_postfix_str(f"{turn.side}, {way.name}")
                made[way.name] = makers[way].ask("image", turn.side // SCALE)
                bar.update()
            if turn.counts:
                rounds.append({"side": turn.side, "made": made})
        return rounds, makers[ONE].ask("engine")


def markdown(document: dict[str, Any]) -> str:
    """A table for each size, the command that made them and its conditions."""
    parts = [
        f"{document['engine']}, Real-ESRGAN by ncnn in float32, {count(document['threads'], 'CPU thread')} each, on "
        f"{document['cpu']}, {document['platform']}, with {listed(document['versions'])}. Seconds are medians, ratios "
        "medians of those within a round."
    ]
    for side in dict.fromkeys(turn["side"] for turn in document["rounds"]):
        made = [turn["made"] for turn in document["rounds"] if turn["side"] == side]
        rows = []
        for way in made[0]:
            seconds = [turn[way]["seconds"] for turn in made if way in turn]
            ratio = median(turn[way]["seconds"] / turn[ONE.name]["seconds"] for turn in made if way in turn)
            spread = f"{significant(min(seconds))}-{significant(max(seconds))}"
            rows.append([way, str(len(seconds)), significant(median(seconds)), spread, f"{ratio:.1f}"])
        parts += [
            f"**{side}x{side}**",
            table(["", "Images", "Seconds", "min-max", "of one step's"], rows),
        ]
        share = median(turn[TEN.name]["encoder"] / turn[ONE.name]["seconds"] for turn in made)
        parts.append(f"The encoder, which runs once either way, takes {share:.0%} of the one step's seconds.")
    return under(document["command"], "\n\n".join(parts))


if __name__ == "__main__":
    main()
