"""How good a network is on a folder of pairs, sampled by the runtime's own loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from srdiff.noise import philox_noise
from srdiff.photo.convert import photo_from
from srdiff.samplers import DDPM, Sampler
from srdiff.upscaler import Upscaler

from ..model.cells import CellSource
from ..model.graphs import CellEngine
from ..model.network import SRDiff
from ..model.recipe import Recipe
from .fidelity import fidelity, mean
from .pairs import find_pairs


@dataclass(frozen=True)
class Scores:
    """Means over the images of a data set.

    Attributes:
        psnr_y, psnr_rgb: dB, at most 100.
        ssim_y, ssim_rgb: -1 … 1; None where every image is smaller than SSIM's window.
        images: how many.
    """

    psnr_y: float | None
    ssim_y: float | None
    psnr_rgb: float | None
    ssim_rgb: float | None
    images: int


class Validator:
    """Takes the measures of a network again and again while its weights change in place.

    In graph mode the first run compiles the cells, once per image size (5 s each for a small network); later ones
    do not. Neither the network's parameters nor their names are touched.

    Args:
        network: the cells, the trained ones or a copy with averaged weights.
        recipe: how they are sampled.
        data: folder of pairs, see :func:`srdiff_training.measure.pairs.find_pairs`.
        limit: take only the first images.
        crop: border in HR pixels left out of all measures.

    Raises:
        ImageError: the folder holds no images.
        OptionError: a pair is incomplete.
        DeviceError: scikit-image is not installed.
    """

    def __init__(
        self, network: SRDiff, recipe: Recipe, data: Path, limit: int | None = None, crop: int | None = None
    ) -> None:
        self.crop = network.config.scale if crop is None else crop
        self._network, self._recipe = network, recipe
        self._engine = CellEngine(network, recipe.clip_denoised)
        self._pairs = find_pairs(data, network.config.scale, limit).pairs

    def __call__(self, steps: int | None = None, seed: int = 0) -> Scores:
        """Enlarge every image with the present weights.

        Args:
            steps: of the sampler; None takes all timesteps. A student takes its own number of steps instead.
            seed: of the noise; the same seed gives the same scores.

        Raises:
            ImageError: an image cannot be read or does not fit its partner.
            OptionError: steps, seed or crop are outside what they may be.
        """
        upscaler = Upscaler(CellSource(self._network, self._recipe), self._engine)
        plan = upscaler.bundle.manifest.plan(DDPM if self._recipe.student_steps else Sampler(steps=steps))
        measured = []
        for pair in self._pairs:
            hr, lr = pair.load(upscaler.scale)
            photo = photo_from(lr)
            result = upscaler.compose(photo, upscaler.sample(photo.pixels, plan, philox_noise(seed)))
            measured.append(fidelity(hr, result.pixels, self.crop))
        means = {key: mean([entry[key] for entry in measured]) for key in measured[0]}
        return Scores(**means, images=len(measured))


def validate(
    network: SRDiff,
    recipe: Recipe,
    data: Path,
    steps: int | None = None,
    seed: int = 0,
    limit: int | None = None,
    crop: int | None = None,
) -> Scores:
    """One run of a :class:`Validator`, which see."""
    return Validator(network, recipe, data, limit, crop)(steps, seed)
