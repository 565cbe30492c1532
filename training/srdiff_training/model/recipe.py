"""How a network is sampled: what its weights do not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite

from srdiff.errors import OptionError
from srdiff.lr_up import LrUpRecipe
from srdiff.schedule import Schedule

DEFAULT_SCHEDULE = "cosine"
DEFAULT_TIMESTEPS = 100


@dataclass(frozen=True)
class Recipe:
    """What training and sampling must agree on.

    Attributes:
        schedule: noise schedule.
        res_rescale: the diffused residual is (hr - lr_up) * res_rescale.
        clip_denoised: x_0 is clamped to [-1, 1] within each step of the sampler.
        lr_up: how the enlarged input is made.
        margin: mirrored LR pixels put around an image and cropped from its result.
        student_steps: of a student, whose network gives x_0, the steps that it takes; None for a network that gives the
            noise.
    """

    schedule: Schedule = field(default_factory=lambda: Schedule.named(DEFAULT_SCHEDULE, DEFAULT_TIMESTEPS))
    res_rescale: float = 2.0
    clip_denoised: bool = False  # mindediting's sampler calls the clamp and drops the result
    lr_up: LrUpRecipe = field(default_factory=LrUpRecipe)
    margin: int = 0
    student_steps: int | None = None

    def __post_init__(self) -> None:
        if not (self.res_rescale > 0 and isfinite(self.res_rescale)):
            raise OptionError(f"res_rescale is {self.res_rescale}; it must be a positive number")
