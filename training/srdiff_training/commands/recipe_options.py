"""The options of a command that takes a checkpoint, for what the checkpoint does not say."""

from __future__ import annotations

from typing import Any, Callable, TypeVar

import click

from srdiff.schedule import BETAS

from ..checkpoints.weights import WEIGHTS
from ..model.families import FAMILIES
from ..model.recipe import DEFAULT_SCHEDULE, DEFAULT_TIMESTEPS

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--weights",
        type=click.Choice(list(WEIGHTS)),
        help="Averaged or raw weights, of a checkpoint that has both.  [default: averaged]",
    ),
    click.option(
        "--schedule",
        type=click.Choice(list(BETAS)),
        help=f"Noise schedule.  [default: the checkpoint's, else {DEFAULT_SCHEDULE}]",
    ),
    click.option(
        "--timesteps",
        type=click.IntRange(1),
        help=f"Length of the schedule.  [default: the checkpoint's, else {DEFAULT_TIMESTEPS}]",
    ),
    click.option(
        "--res-rescale",
        type=float,
        help="Factor of the diffused residual in training.  [default: the checkpoint's, else 2]",
    ),
    click.option(
        "--clip-denoised/--no-clip-denoised",
        default=None,
        help="Clamp x_0 to [-1, 1] in each step.  "
        "[default: yes for srdiff-train's own checkpoints, else as the family's code does: leiali yes, mindediting no]",
    ),
    click.option(
        "--lr-up",
        type=click.Choice(list(FAMILIES)),
        help="Whose recipe makes the enlarged input.  [default: the family's]",
    ),
    click.option(
        "--margin",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Mirrored input pixels put around an image and cropped again, for models whose borders are poor.",
    ),
)


def recipe_options(command: Decorated) -> Decorated:
    """Adds the fields of :class:`srdiff_training.model.recipe_options.RecipeOptions` as options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
