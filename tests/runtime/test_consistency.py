"""Back-projection: shrunk again, a result gives its input back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from srdiff.consistency import project
from srdiff.errors import ImageError
from srdiff.photo.photo import Photo
from srdiff.resize import bicubic


def photo(side: int = 32, dtype: type = np.uint8) -> Photo:
    pixels = bicubic(data.astronaut()[: 4 * side, 150 : 150 + 4 * side], side, side)
    return Photo(pixels if dtype is np.uint8 else pixels.astype(np.uint16) * 257)


def shrunk_error(result: Photo, source: Photo) -> float:
    """Root mean square of what is missing, in the source's levels."""
    difference = bicubic(result.pixels, *source.pixels.shape[:2]).astype(np.float64) - source.pixels
    return float(np.sqrt(np.square(difference).mean()))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99), st.sampled_from([np.uint8, np.uint16]), st.integers(2, 4))
def test_a_drifted_and_noisy_result_comes_back(seed: int, dtype: type, scale: int) -> None:
    source = photo(24, dtype)
    white = np.iinfo(dtype).max
    enlarged = bicubic(source.pixels, 24 * scale, 24 * scale) * 0.9 + 0.03 * white
    enlarged += np.random.default_rng(seed).normal(0, 0.02 * white, enlarged.shape)
    result = source.enlarged(np.clip(np.rint(enlarged), 0, white).astype(dtype), None)
    projected = project(result, source)
    assert shrunk_error(result, source) > 0.03 * white
    # A level of 8 bits is what rounding and clipping leave; measured 0.1 to 0.5.
    assert shrunk_error(projected, source) < white / 255
    assert projected.pixels.dtype == dtype


def test_detail_finer_than_the_input_survives() -> None:
    """A checkerboard of single pixels vanishes in the input, so the projection has no business with it."""
    source = Photo(np.full((16, 16, 3), 128, np.uint8))
    board = np.indices((64, 64)).sum(axis=0) % 2 * 40 + 108
    result = source.enlarged(np.repeat(board[..., None], 3, axis=2).astype(np.uint8), None)
    projected = project(result, source).pixels.astype(np.int16)
    assert np.abs(projected - result.pixels)[8:-8, 8:-8].max() <= 1


def test_a_consistent_result_is_left_alone() -> None:
    true = np.ascontiguousarray(data.astronaut()[:128, :128])
    source = Photo(bicubic(true, 32, 32))
    change = np.abs(project(Photo(true), source).pixels.astype(np.int16) - true)
    # All there is to correct is the input's rounding and clipping; measured 0.15 and 5 levels.
    assert change.mean() < 0.3 and change.max() <= 8


@pytest.mark.parametrize("shape", [(31, 32, 3), (130, 128, 3), (128, 64, 3), (16, 16, 3)])
def test_a_result_of_something_else_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ImageError, match="give the photo that was enlarged"):
        project(Photo(np.zeros(shape, np.uint8)), photo(32))
