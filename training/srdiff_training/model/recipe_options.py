"""What a user may say about a checkpoint's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from srdiff.errors import OptionError
from srdiff.schedule import BETAS, Schedule

from .families import FAMILIES
from .recipe import DEFAULT_SCHEDULE, DEFAULT_TIMESTEPS, Recipe
from .stored_recipe import StoredRecipe

if TYPE_CHECKING:
    from .checkpoint import Checkpoint


@dataclass(frozen=True)
class RecipeOptions:
    """A user's wishes; None stands for the checkpoint's or its family's own.

    Attributes:
        weights: ``ema`` or ``raw``, of a checkpoint that has averaged weights and those that were trained.
        schedule: ``cosine`` or ``linear``, in place of what the checkpoint holds.
        timesteps: its length, or that of the checkpoint's in place of its own.
        res_rescale: factor of the diffused residual.
        clip_denoised: clamp x_0 to [-1, 1] in each step.
        lr_up: the family whose recipe makes lr_up.
        margin: mirrored LR pixels that the runtime puts around an image and crops from its result.
    """

    weights: str | None = None
    schedule: str | None = None
    timesteps: int | None = None
    res_rescale: float | None = None
    clip_denoised: bool | None = None
    lr_up: str | None = None
    margin: int = 0

    def recipe(self, checkpoint: Checkpoint) -> Recipe:
        """The recipe for a checkpoint's network.

        Raises:
            OptionError: a wish is outside what it may be.
        """
        own, stored = checkpoint.config.record.recipe, checkpoint.stored
        if self.lr_up is not None and self.lr_up not in FAMILIES:
            raise OptionError(f"lr_up is {self.lr_up!r}; choose one of {', '.join(FAMILIES)}")
        # What is wished for is not looked up in the file, where it may be damaged.
        return Recipe(
            schedule=self._schedule(stored),
            res_rescale=_first(self.res_rescale, lambda: stored.res_rescale, own.res_rescale),
            clip_denoised=_first(self.clip_denoised, lambda: stored.clip_denoised, own.clip_denoised),
            lr_up=own.lr_up if self.lr_up is None else FAMILIES[self.lr_up].recipe.lr_up,
            margin=self.margin,
            student_steps=stored.student_steps,
        )

    def _schedule(self, stored: StoredRecipe) -> Schedule:
        if self.schedule is not None:
            return Schedule.named(self.schedule, self.timesteps or DEFAULT_TIMESTEPS)
        found = stored.schedule
        if found is None:
            return Schedule.named(DEFAULT_SCHEDULE, self.timesteps or DEFAULT_TIMESTEPS)
        if self.timesteps in (None, found.timesteps):
            return found
        if found.name not in BETAS:
            raise OptionError(
                f"timesteps is {self.timesteps} and {stored.path} has {found.timesteps} betas of no known schedule; "
                "leave it out, or name the schedule, too"
            )
        return Schedule.named(found.name, self.timesteps or DEFAULT_TIMESTEPS)


def _first(wish: Any, stored: Callable[[], Any], default: Any) -> Any:
    """The first that is not None."""
    if wish is not None:
        return wish
    found = stored()
    return default if found is None else found
