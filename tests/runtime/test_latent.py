"""Latent interpolation and content fusion."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage import data

from srdiff.errors import ImageError, OptionError
from srdiff.latent import fuse, mixed_noise
from srdiff.noise import philox_noise
from srdiff.resize import bicubic
from srdiff.upscaler import Upscaler

from ..models import SMALL


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler.from_bundle(SMALL, threads=2)


@pytest.fixture(scope="module")
def true() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[64:128, 176:256])


@pytest.fixture(scope="module")
def lr(true: np.ndarray) -> np.ndarray:
    return bicubic(true, 16, 20)


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 1.0])
def test_mixed_noise_stays_standard_normal(weight: float) -> None:
    noise = mixed_noise(philox_noise(1), philox_noise(2), weight)(100, 0, 0, 512, 512)
    # 786,432 values: the mean's standard error is 0.0011, the deviation's 0.0008; five of each.
    assert abs(noise.mean()) < 0.006 and abs(noise.std() - 1) < 0.004


def test_interpolation_ends_at_the_two_results(upscaler: Upscaler, lr: np.ndarray) -> None:
    ends = [upscaler.upscale(lr, seed=seed, steps=3) for seed in (1, 2)]
    path = [
        upscaler.upscale(lr, steps=3, noise=mixed_noise(philox_noise(1), philox_noise(2), weight))
        for weight in (0, 0.2, 0.5, 1)
    ]
    np.testing.assert_array_equal(path[0], ends[0])
    np.testing.assert_array_equal(path[-1], ends[1])
    away = [np.abs(image.astype(np.float64) - ends[0]).mean() for image in path]
    assert away[0] < away[1] < away[2] < away[3]


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_outside_its_range_is_refused(weight: float) -> None:
    with pytest.raises(OptionError, match="weight"):
        mixed_noise(philox_noise(1), philox_noise(2), weight)


def test_fusion_keeps_a_patch_at_little_strength_and_forgets_it_at_full(upscaler: Upscaler, lr: np.ndarray) -> None:
    picture = upscaler.upscale(lr, seed=0, steps=10)
    edited = picture.copy()
    stripes = np.where(np.arange(16) % 8 < 4, 40, -40)[:, None, None]
    edited[20:36, 30:46] = np.clip(edited[20:36, 30:46] + stripes, 0, 255)
    patch = (slice(20, 36), slice(30, 46))

    def off(strength: float) -> float:
        result = fuse(upscaler, lr, edited, strength, seed=3)
        return float(np.abs(result[patch].astype(np.float64) - edited[patch]).mean())

    weak, strong = off(0.02), off(1.0)
    plain = np.abs(picture[patch].astype(np.float64) - edited[patch]).mean()
    assert weak < 0.15 * plain  # measured 0.05
    assert strong > 0.8 * plain  # measured 1.0


def test_fusion_at_full_strength_is_nearly_a_plain_result(upscaler: Upscaler, lr: np.ndarray, true: np.ndarray) -> None:
    """At the last timestep alpha_cumprod is 1e-7 or so: nothing of the content is left."""
    fused, plain = fuse(upscaler, lr, true, 1.0, seed=5), upscaler.upscale(lr, seed=5, preset="full")
    assert np.abs(fused.astype(np.int16) - plain).mean() < 1


def test_fusion_takes_and_gives_pil_images(upscaler: Upscaler, lr: np.ndarray, true: np.ndarray) -> None:
    steps = []
    result = fuse(upscaler, Image.fromarray(lr), Image.fromarray(true), 0.05, callback=lambda *done: steps.append(done))
    assert isinstance(result, Image.Image) and result.size == (80, 64)
    assert steps == [(done, 5) for done in range(1, 6)]


@pytest.mark.parametrize("strength", [0, -1, 1.01, float("nan")])
def test_strength_outside_its_range_is_refused(strength: float, upscaler: Upscaler, lr: np.ndarray) -> None:
    with pytest.raises(OptionError, match="strength"):
        fuse(upscaler, lr, lr.repeat(4, 0).repeat(4, 1), strength)


@pytest.mark.parametrize("content", [np.zeros((16, 20, 3), np.uint8), np.zeros((64, 80, 3), np.uint16)])
def test_content_that_does_not_fit_is_refused(content: np.ndarray, upscaler: Upscaler, lr: np.ndarray) -> None:
    with pytest.raises(ImageError, match="80x64"):
        fuse(upscaler, lr, content)
