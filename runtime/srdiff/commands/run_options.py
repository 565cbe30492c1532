"""The options of ``srdiff-run`` alone."""

from __future__ import annotations

import re
from typing import Any

import click

from ..batch.shard import Shard
from ..errors import OptionError
from ..jobs.work import Crop
from ..photo.write import FORMATS
from .model_options import Decorated
from .paths import FilePath

AUTO = "auto"


class Rectangle(click.ParamType):
    """``X,Y,W,H`` as a Crop."""

    name = "X,Y,W,H"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Crop:
        match = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", value)
        if match is None:
            self.fail(f"{value!r} is no rectangle; write left, top, width and height like 100,50,200,200", param, ctx)
        try:
            return Crop(*map(int, match.groups()))
        except OptionError as error:
            self.fail(str(error), param, ctx)


class ShardType(click.ParamType):
    """``I/N`` as a Shard."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        match = re.fullmatch(r"(\d+)/(\d+)", value)
        if match is None:
            self.fail(f"{value!r} is no shard; write it like 0/3 for the first of three", param, ctx)
        try:
            return Shard(int(match.group(1)), int(match.group(2)))
        except OptionError as error:
            self.fail(str(error), param, ctx)


class Workers(click.ParamType):
    """``auto`` or how many."""

    name = "auto|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == AUTO or isinstance(value, int):
            return value
        if not re.fullmatch(r"[1-9]\d{0,4}", value):
            self.fail(f"{value!r} is no number of workers; write auto or a number from 1", param, ctx)
        return int(value)


_OPTIONS = (
    click.option("--format", type=click.Choice(list(FORMATS)), help="Of the result.  [default: from -o, else png]"),
    click.option("--quality", type=click.IntRange(1, 100), help="Of jpg and webp alone.  [default: 95]"),
    click.option("--crop", type=Rectangle(), help="Enlarge this part alone, to try before a long run."),
    click.option(
        "--workers",
        type=Workers(),
        help="Images at a time on each device; auto measures workers and threads at the start and takes the fastest.  "
        "[default: 1; with --ray as many as there is room for]",
    ),
    click.option(
        "--samples",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Different results per image: in_x4_1.png, in_x4_2.png, …",
    ),
    click.option("--average", is_flag=True, help="Write the samples' mean instead: higher PSNR, softer."),
    click.option(
        "--uncertainty",
        is_flag=True,
        help="Also write a grey map of the samples' spread, in_x4_uncertainty.png; white is 8 levels and more.",
    ),
    click.option("--consistency", is_flag=True, help="Correct the result so that shrinking it gives the input back."),
    click.option("--recursive", is_flag=True, help="Folders within folders, too; the tree is kept."),
    click.option(
        "--all-frames", is_flag=True, help="Every frame or page of a file, as in_x4_f0001.png, …; else the first."
    ),
    click.option("--suffix", help="Behind the names of results beside their inputs.  [default: _x4]"),
    click.option("--overwrite", is_flag=True, help="Replace results that exist; without it they are kept."),
    click.option(
        "--ledger",
        type=FilePath(dir_okay=False),
        help="Note each image in this file; a rerun makes what is missing, changed or failed.  "
        "[default: for folders, srdiff-ledger.jsonl beside the results]",
    ),
    click.option(
        "--shard", type=ShardType(), help="Of N parts of the images only part I, from 0; machines need no more."
    ),
    click.option(
        "--ray",
        metavar="auto|ADDRESS",
        help="Have a Ray cluster make them; all its machines see the same files. --threads is the CPUs of a worker.",
    ),
    click.option("--retry-failed", is_flag=True, help="Only what the ledger says failed."),
    click.option("--verify", is_flag=True, help="Make nothing; read all that the ledger says is done."),
    click.option("--dry-run", is_flag=True, help="Say what would be read and written, and leave."),
    click.option("--json", "as_json", is_flag=True, help="One JSON line per image on standard output."),
)


def run_options(command: Decorated) -> Decorated:
    """Adds the options, in the order of ``--help``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
