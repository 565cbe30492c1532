"""PSNR and SSIM against closed forms and published definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from srdiff.errors import OptionError
from srdiff_training.measure.fidelity import fidelity, luma, mean, psnr, ssim

# MATLAB: 255 * rgb2ycbcr(colour / 255), first channel.
MATLAB_Y = [
    ((255, 255, 255), 235.0),
    ((0, 0, 0), 16.0),
    ((255, 0, 0), 81.481),
    ((0, 255, 0), 144.553),
    ((0, 0, 255), 40.966),
]


@pytest.mark.parametrize(("colour", "y"), MATLAB_Y)
def test_luma_is_matlabs(colour: tuple[int, int, int], y: float) -> None:
    assert luma(np.full((2, 3, 3), colour, np.uint8)) == pytest.approx(np.full((2, 3), y), abs=1e-9)


@pytest.mark.parametrize("offset", [1, 10, 200])
def test_psnr_of_an_offset_is_the_closed_form(offset: int) -> None:
    black = np.zeros((4, 5, 3), np.uint8)
    assert psnr(black, black + np.uint8(offset)) == pytest.approx(20 * np.log10(255 / offset), abs=1e-9)


@settings(max_examples=25)
@given(arrays.arrays(np.uint8, (2, 12, 13, 3), elements=st.integers(0, 255)))
def test_measures_are_symmetric_and_best_for_equal_images(pair: np.ndarray) -> None:
    first, second = pair
    assert psnr(first, second) == psnr(second, first) <= psnr(first, first) == 100
    assert ssim(first, second) == pytest.approx(ssim(second, first)) and ssim(first, second) <= 1 + 1e-12
    assert ssim(first, first) == pytest.approx(1)


def test_ssim_agrees_with_its_paper_on_one_window() -> None:
    """An image of 11x11 has a single window, so the whole formula fits in four lines."""
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0, 255, (2, 11, 11))
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weight = np.outer(taps, taps) / taps.sum() ** 2
    mx, my = (weight * x).sum(), (weight * y).sum()
    vx, vy, cov = (
        (weight * x * x).sum() - mx**2,
        (weight * y * y).sum() - my**2,
        (weight * x * y).sum() - mx * my,
    )
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim(x, y) == pytest.approx(expected, abs=1e-9)


def test_ssim_of_less_than_a_window_is_not_made_up() -> None:
    assert ssim(np.zeros((10, 40)), np.zeros((10, 40))) is None


def test_each_number_is_of_its_own_pixels(photo: np.ndarray) -> None:
    darker = photo // 2
    found = fidelity(photo, darker, 3)
    inner = slice(3, -3)
    assert found["psnr_rgb"] == psnr(photo[inner, inner], darker[inner, inner])
    assert found["psnr_y"] == psnr(luma(photo)[inner, inner], luma(darker)[inner, inner])
    assert found["ssim_rgb"] == ssim(photo[inner, inner], darker[inner, inner])
    assert found["ssim_y"] == ssim(luma(photo)[inner, inner], luma(darker)[inner, inner])
    assert len(set(found.values())) == 4


@pytest.mark.parametrize("crop", [-1, 10, 40])
def test_impossible_border_is_refused(crop: int, photo: np.ndarray) -> None:
    with pytest.raises(OptionError, match=str(crop)):
        fidelity(photo, photo, crop)


def test_means_are_of_what_was_measured() -> None:
    assert mean([1.0, None, 3.0]) == 2 and mean([None]) is None
