"""How a network is sampled: what its weights do not say."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from srdiff.bundle import GraphFiles, LrUpRecipe, Manifest
from srdiff.errors import OptionError
from srdiff.schedule import Schedule

from .config import NetworkConfig

if TYPE_CHECKING:
    from .checkpoint import Checkpoint

DEFAULT_TIMESTEPS = 100


@dataclass(frozen=True)
class Recipe:
    """What training and sampling must agree on; the defaults are mindediting's.

    Attributes:
        schedule: noise schedule.
        res_rescale: the diffused residual is (hr - lr_up) * res_rescale.
        clip_denoised: x_0 is clamped to [-1, 1] within each step of the sampler.
        lr_up: how the enlarged input is made.
        margin: mirrored LR pixels put around an image and cropped from its result.
    """

    schedule: Schedule = field(default_factory=lambda: Schedule.named("cosine", DEFAULT_TIMESTEPS))
    res_rescale: float = 2.0
    clip_denoised: bool = False  # its sampler calls the clamp and drops the result
    lr_up: LrUpRecipe = field(default_factory=LrUpRecipe)
    margin: int = 0

    def __post_init__(self) -> None:
        if not self.res_rescale > 0:
            raise OptionError(f"res_rescale is {self.res_rescale}; it must be positive")

    def manifest(
        self,
        config: NetworkConfig,
        name: str,
        graphs: tuple[GraphFiles, ...],
        weights_dtype: str = "float32",
        origin: dict[str, str] | None = None,
    ) -> Manifest:
        """What the runtime must know of a network of these sizes, sampled by this recipe."""
        return Manifest(
            name=name,
            scale=config.scale,
            hr_multiple=config.hr_multiple,
            hr_minimum=config.hr_minimum,
            schedule=self.schedule,
            res_rescale=self.res_rescale,
            clip_denoised=self.clip_denoised,
            lr_up=self.lr_up,
            up_input=config.up_input,
            global_context=config.use_attn,
            cond_channels=config.unet_channels,
            time_bias_channels=config.time_bias_channels,
            weights_dtype=weights_dtype,
            margin=self.margin,
            graphs=graphs,
            network=asdict(config),
            origin=origin or {},
        )


# How a family's own code samples.
RECIPES: dict[str, Recipe] = {
    "mindediting": Recipe(),
    "leiali": Recipe(clip_denoised=True, lr_up=LrUpRecipe("symmetric", "none", 256)),
}


@dataclass(frozen=True)
class RecipeOptions:
    """A user's wishes; None stands for the checkpoint's or its family's own.

    Attributes:
        schedule: ``cosine`` or ``linear``.
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
        family = RECIPES[checkpoint.config.family]
        schedule = checkpoint.schedule
        if self.schedule is not None or schedule is None:
            schedule = Schedule.named(self.schedule or "cosine", self.timesteps)
        return Recipe(
            schedule=schedule,
            res_rescale=_first(self.res_rescale, checkpoint.res_rescale, family.res_rescale),
            clip_denoised=_first(self.clip_denoised, checkpoint.clip_denoised, family.clip_denoised),
            lr_up=family.lr_up if self.lr_up is None else RECIPES[self.lr_up].lr_up,
            margin=self.margin,
        )


def _first(*values: Any) -> Any:
    """The first that is not None."""
    return next(value for value in values if value is not None)
