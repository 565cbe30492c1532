"""The options that ``srdiff-run`` and ``srdiff-video`` have in common."""

from __future__ import annotations

import re
from typing import Any, Callable, TypeVar

import click

from ..engines import DEVICES, ENGINES, PRECISIONS
from ..model_names import DEFAULT_MODEL, MANY_STEPS, built_in
from ..photo.read import DEFAULT_MAX_PIXELS
from ..samplers import SAMPLERS, SPACINGS
from .completing import devices, models, presets
from .devices import print_devices

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Size(click.ParamType):
    """``WxH`` as (width, height)."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = re.fullmatch(r"(\d+)x(\d+)", value)
        if match is None:
            self.fail(f"{value!r} is no size; write it like 1920x1080", param, ctx)
        return int(match.group(1)), int(match.group(2))


_OPTIONS = (
    click.option(
        "--model",
        shell_complete=models,
        help=f"Bundle folder, or one that is built in: {', '.join(built_in())}.  [default: {DEFAULT_MODEL.stem}]",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**64 - 1),
        default=0,
        show_default=True,
        help="Of the noise; another seed, another picture.",
    ),
    click.option(
        "--preset",
        shell_complete=presets,
        help=f"Of models of many steps, like {MANY_STEPS}: sampler, steps, eta and spacing by a name.  "
        "[default: the model's]",
    ),
    click.option(
        "--steps",
        type=click.IntRange(1),
        help="Of them, up to the model's timesteps.  [default: the preset's, else all]",
    ),
    click.option("--sampler", type=click.Choice(list(SAMPLERS)), help="[default: the preset's, else ddpm]"),
    click.option(
        "--eta",
        type=click.FloatRange(0, 1),
        help="Fresh noise per step for ddim and dpm++: 0 is sharper, 1 nearer the truth.  "
        "[default: the preset's, else 0]",
    ),
    click.option(
        "--spacing",
        type=click.Choice(list(SPACINGS)),
        help="Which timesteps are taken when not all are.  [default: the preset's, else even]",
    ),
    click.option(
        "--fidelity",
        type=click.FloatRange(0, 1),
        help="Of clean, photo and others with that dial: 0 is sharpest, 1 nearest to the truth.  [default: 0]",
    ),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="DEVICE",
        shell_complete=devices,
        help=f"auto, {', '.join(DEVICES)}; gpu:1 is the second of them, ascend:0,1 two that share the images.",
    ),
    click.option("--engine", type=click.Choice(["auto", *ENGINES]), default="auto", show_default=True),
    click.option(
        "--engine-option",
        "engine_options",
        multiple=True,
        metavar="KEY=VALUE",
        help="Of the engine alone, like device_id=1; repeatable.",
    ),
    click.option(
        "--list-devices",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=print_devices,
        help="Print what runs here, and why the rest does not.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", *PRECISIONS]),
        default="auto",
        show_default=True,
        help="Of the UNet's arithmetic.",
    ),
    click.option(
        "--threads", type=click.IntRange(1), help="CPU threads of each worker.  [default: the engine's, or shared out]"
    ),
    click.option(
        "--tile",
        type=click.IntRange(1),
        help="Images of more pixels than a square of this side are cut into windows of at most as many; memory "
        "follows it.  "
        "[default: 128 to 512, by the memory at hand]",
    ),
    click.option("--overlap", type=click.IntRange(0), help="Input pixels that windows share.  [default: the model's]"),
    click.option("-s", "--scale", type=click.IntRange(1), help="Shrink the result to this.  [default: the model's]"),
    click.option("--size", type=Size(), help="Shrink the result to this many pixels."),
    click.option(
        "--max-pixels",
        type=click.IntRange(1),
        default=DEFAULT_MAX_PIXELS,
        show_default=True,
        help="Refuse larger inputs before decoding them.",
    ),
    click.option("--quiet", is_flag=True, help="Errors only."),
)


def model_options(command: Decorated) -> Decorated:
    """Adds the model, how it is sampled, what runs it, and how large results are, in the order of ``--help``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
