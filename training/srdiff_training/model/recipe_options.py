"""What a user may say about a checkpoint's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srdiff.errors import OptionError
from srdiff.schedule import Schedule

from .families import FAMILIES
from .recipe import DEFAULT_SCHEDULE, DEFAULT_TIMESTEPS, Recipe

if TYPE_CHECKING:
    from .checkpoint import Checkpoint


@dataclass(frozen=True)
class RecipeOptions:
    """A user's wishes; None stands for the checkpoint's or its family's own.

    Attributes:
        schedule: ``cosine`` or ``linear``; with ``timesteps``, in place of what the checkpoint holds.
        timesteps: length of a schedule that is not in the checkpoint.
        res_rescale: factor of the diffused residual.
        clip_denoised: clamp x_0 to [-1, 1] in each step.
        lr_up: the family whose recipe makes lr_up.
        margin: mirrored LR pixels that the runtime puts around an image and crops from its result.
    """

    schedule: str | None = None
    timesteps: int = DEFAULT_TIMESTEPS
    res_rescale: float | None = None
    clip_denoised: bool | None = None
    lr_up: str | None = None
    margin: int = 0

    def recipe(self, checkpoint: Checkpoint) -> Recipe:
        """The recipe for a checkpoint's network.

        Raises:
            OptionError: a wish is outside what it may be.
        """
        own = checkpoint.config.record.recipe
        schedule = checkpoint.schedule
        if self.schedule is not None or schedule is None:
            schedule = Schedule.named(self.schedule or DEFAULT_SCHEDULE, self.timesteps)
        if self.lr_up is not None and self.lr_up not in FAMILIES:
            raise OptionError(f"lr_up is {self.lr_up!r}; choose one of {', '.join(FAMILIES)}")
        return Recipe(
            schedule=schedule,
            res_rescale=_first(self.res_rescale, checkpoint.res_rescale, own.res_rescale),
            clip_denoised=_first(self.clip_denoised, checkpoint.clip_denoised, own.clip_denoised),
            lr_up=own.lr_up if self.lr_up is None else FAMILIES[self.lr_up].recipe.lr_up,
            margin=self.margin,
            student_steps=checkpoint.student_steps,
        )


def _first(*values: Any) -> Any:
    """The first that is not None."""
    return next(value for value in values if value is not None)
