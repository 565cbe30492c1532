"""What can be done with the noise of a diffusion model besides drawing it: mixing two results, merging in
other content.

Both are the manipulations of SRDiff (Li et al., arXiv 2104.14951, section on extensions).
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from .errors import ImageError, OptionError
from .manifest import CLAMP_LIMIT
from .model_names import MANY_STEPS
from .noise import NoiseSource, philox_noise
from .photo.bleed import bled
from .photo.convert import photo_from, to_array, to_pil
from .pixels import to_signed
from .progress import Callback, watch_with
from .samplers import DDPM, Plan
from .upscaler import Upscaler


def mixed_noise(first: NoiseSource, second: NoiseSource, weight: float) -> NoiseSource:
    """Latent interpolation: noise between two sources, for ``Upscaler.upscale(noise=…)``.

    Weights are the square roots of (1 - weight) and weight, so that the mix of two independent sources is
    standard normal again; a straight line between them would lose variance and blur the result.

    Args:
        first, second: independent, such as ``philox_noise(1)`` and ``philox_noise(2)``.
        weight: 0 gives the first one's result, 1 the second's.

    Raises:
        OptionError: the weight is no number in [0, 1].
    """
    if not (isinstance(weight, Real) and 0 <= weight <= 1):
        raise OptionError(f"weight is {weight!r}; it lies between 0 and 1")
    # A source of weight 0 is not drawn from: the ends cost what a plain result costs.
    parts = [
        (source, np.float32(np.sqrt(part))) for source, part in ((first, 1 - weight), (second, weight)) if part > 0
    ]

    def window(stream: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        noise = np.zeros((3, height, width), np.float32)
        for source, factor in parts:
            noise += factor * source(stream, top, left, height, width)
        return noise

    return window


def fuse(
    upscaler: Upscaler,
    image: Any,
    content: Any,
    strength: float = 0.5,
    seed: int = 0,
    callback: Callback | None = None,
) -> Any:
    """Content fusion: let the model redraw a picture that was edited at full size, so that the edit fits in.

    The picture's difference from the enlarged input is noised up to an intermediate timestep and denoised
    from there with ``image`` as the condition. What was pasted keeps its shape; seams are redrawn. A residual
    holds differences from the enlarged input of up to 1 / res_rescale, for 2 a quarter of the full range;
    more is clipped.

    Args:
        upscaler: the model.
        image: the low-resolution input, as :meth:`Upscaler.upscale` takes it.
        content: the edited picture, ``scale`` times as large, of the same type; for instance a result with a
            patch of another result, or of another photo, pasted into it.
        strength: share of the timesteps to go back, in (0, 1]: near 0 keeps the picture, 1 forgets it.
        seed: of the noise.
        callback: as in :meth:`Upscaler.upscale`.

    Returns:
        What ``image`` is, ``scale`` times as large: a PIL image or an array.

    Raises:
        ImageError: an image is of a kind that is not taken, or the two sizes or types do not fit.
        BundleError: the model fails while it runs.
        OptionError: strength is no number in (0, 1], seed no whole number from 0 to 2**64 - 1, or the model a student.
    """
    manifest = upscaler.bundle.manifest
    if manifest.student_steps is not None:
        raise OptionError(
            f"{manifest.name} is a student, which has no step to begin in the middle at; take a model of many steps, "
            f"like {MANY_STEPS}"
        )
    if not (isinstance(strength, Real) and 0 < strength <= 1):
        raise OptionError(f"strength is {strength!r}; it lies above 0 and at most at 1")
    photo, picture = bled(photo_from(image)), bled(photo_from(content))
    height, width = (side * upscaler.scale for side in photo.pixels.shape[:2])
    if picture.pixels.shape != (height, width, 3) or picture.pixels.dtype != photo.pixels.dtype:
        raise ImageError(
            f"the content is {picture.pixels.dtype} of {picture.pixels.shape[1]}x{picture.pixels.shape[0]}; "
            f"give {photo.pixels.dtype} of {width}x{height}, {upscaler.scale} times the input"
        )
    lr_up = manifest.lr_up.apply(photo.pixels, height, width)
    hr = to_signed(picture.pixels)
    residual = np.clip((hr - lr_up) * np.float32(manifest.res_rescale), -CLAMP_LIMIT, CLAMP_LIMIT)
    remaining = max(round(strength * manifest.schedule.timesteps), 1)
    plan = Plan(tuple(step for step in DDPM.plan(manifest.schedule) if step.t < remaining))
    kept = manifest.schedule.alpha_cumprod[remaining - 1]
    start = _diffused(residual, kept, manifest.margin * upscaler.scale, philox_noise(seed), manifest.schedule.timesteps)
    result = upscaler.compose(photo, upscaler.sample(photo.pixels, plan, start, watch_with(callback)))
    return to_array(result) if isinstance(image, np.ndarray) else to_pil(result)


def _diffused(x0: np.ndarray, kept: float, margin: int, noise: NoiseSource, first_stream: int) -> NoiseSource:
    """``noise``, but its first stream, where sampling starts, is q(x_t | x_0) with alpha_cumprod ``kept``."""

    def window(stream: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        drawn = noise(stream, top, left, height, width)
        if stream != first_stream:
            return drawn
        # The sampler works on the picture with its margin and its padding to whole levels, mirrored as its
        # input is.
        behind = [max(end - margin - side, 0) for end, side in zip((top + height, left + width), x0.shape[1:])]
        padded = np.pad(x0, ((0, 0), (margin, behind[0]), (margin, behind[1])), mode="symmetric")
        signal = padded[:, top : top + height, left : left + width]
        return np.float32(np.sqrt(kept)) * signal + np.float32(np.sqrt(1 - kept)) * drawn

    return window
