"""MATLAB bicubic against a slow reading of its definition, and against recorded results."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from srdiff.errors import OptionError
from srdiff.lr_up import LrUpRecipe
from srdiff.resize import BORDERS, ROUNDINGS, bicubic


def cubic(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def slow_row(row: list[float], size: int, border: str) -> list[float]:
    """One row, one pixel, one tap at a time."""
    n, scale = len(row), size / len(row)
    kernel = min(scale, 1.0)
    result = []
    for out in range(size):
        centre = (out + 0.5) / scale - 0.5
        total = weights = 0.0
        for tap in range(int(np.floor(centre - 2 / kernel)) - 1, int(np.ceil(centre + 2 / kernel)) + 2):
            weight = cubic((centre - tap) * kernel)
            if border == "nearest":
                source = min(max(tap, 0), n - 1)
            else:
                source = tap % (2 * n)
                source = source if source < n else 2 * n - 1 - source
            total += weight * row[source]
            weights += weight
        result.append(total / weights)
    return result


@pytest.mark.parametrize("border", BORDERS)
@given(
    data=st.data(),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    out=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_float_equals_the_definition(border, data, height, width, out):
    seed = data.draw(st.integers(0, 1000))
    image = np.random.default_rng(seed).uniform(0, 255, (height, width))
    rows = np.array([slow_row(column, out[0], border) for column in image.T]).T
    expected = np.array([slow_row(row, out[1], border) for row in rows])
    # float64 sums of at most 9 * 20 terms in another order
    np.testing.assert_allclose(bicubic(image, *out, border=border), expected, atol=1e-9)


def test_lr_up_of_the_public_implementations():
    from tests.conftest import Golden

    arrays = Golden("mindediting").arrays
    result = bicubic(arrays["lr_uint8"][0], 48, 64, "symmetric", "half_even")
    assert np.array_equal(result, arrays["lr_up_uint8"][0])


def test_shrinking_a_photo_is_pinned():
    """The same code gave all 19 public x4 images of Set5 and Set14 bit by bit; this digest holds it to that."""
    lr = bicubic(skimage.data.astronaut(), 128, 128)
    assert (
        hashlib.sha256(lr.tobytes()).hexdigest() == "779079bcc93ec25299324a20e627ad9bd6d317fe6e0ccc2c0037703d25ae14f7"
    )


@given(
    seed=st.integers(0, 999),
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 48), st.integers(1, 48)),
    scale=st.sampled_from([None, 2, 4, 8]),
    border=st.sampled_from(BORDERS),
    rounding=st.sampled_from(ROUNDINGS),
)
def test_integers_are_rounded_after_each_pass(seed, sizes, scale, border, rounding):
    """As if computed in float64, also where float32 is as exact."""
    height, width, rows, columns = sizes
    if scale is not None:
        rows, columns = scale * height, scale * width
    image = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)

    def rounded(values):
        return np.clip(np.floor(values + 0.5) if rounding == "half_up" else np.rint(values), 0, 255)

    two_passes = rounded(bicubic(image.astype(float), rows, width, border))
    two_passes = rounded(bicubic(two_passes, rows, columns, border))
    assert np.array_equal(bicubic(image, rows, columns, border, rounding), two_passes)


@pytest.mark.parametrize("scale", [3, 5, 6, 7])
def test_8_bits_are_rounded_from_double_precision_where_float32_is_not_exact(scale):
    image = skimage.data.astronaut()[:210, 100:310]
    for size in (210 * scale, 210 // scale):
        rows = np.clip(np.floor(bicubic(image.astype(np.float64), size, 210) + 0.5), 0, 255)
        both = np.clip(np.floor(bicubic(rows, size, size) + 0.5), 0, 255)
        np.testing.assert_array_equal(bicubic(image, size, size), both)


def test_rounding_after_each_pass_is_not_rounding_at_the_end():
    image = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    at_the_end = np.clip(np.floor(bicubic(image.astype(float), 64, 64) + 0.5), 0, 255)
    assert not np.array_equal(bicubic(image, 64, 64), at_the_end)


def test_halves_are_rounded_as_asked():
    image = np.array([[0, 1]], np.uint8).repeat(2, axis=0)
    exact = bicubic(image.astype(float), 2, 4)[0]
    halves = np.array([[10, 11]], np.uint8)
    assert bicubic(halves, 1, 1, rounding="half_up")[0, 0] == 11
    assert bicubic(halves, 1, 1, rounding="half_even")[0, 0] == 10
    assert exact.shape == (4,)


@given(
    value=st.integers(0, 65535),
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 30), st.integers(1, 30)),
    border=st.sampled_from(BORDERS),
    rounding=st.sampled_from(ROUNDINGS),
)
def test_a_flat_image_stays_flat(value, sizes, border, rounding):
    image = np.full((*sizes[:2], 3), value, np.uint16)
    result = bicubic(image, *sizes[2:], border=border, rounding=rounding)
    assert result.dtype == np.uint16
    assert result.shape == (*sizes[2:], 3)
    assert (result == value).all()


@pytest.mark.parametrize("wrong", [{"border": "wrap"}, {"rounding": "down"}, {"height": 0}])
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(OptionError, match=str(next(iter(wrong.values())))):
        bicubic(np.zeros((2, 2)), **{"height": 4, "width": 4, **wrong})


@given(
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    recipe=st.sampled_from([LrUpRecipe(), LrUpRecipe("nearest", "half_up", 256), LrUpRecipe(rounding="none")]),
    scale=st.sampled_from([2, 3, 4, 5, 8]),
    data=st.data(),
)
@settings(max_examples=80)
def test_lr_up_of_a_rectangle_is_that_part_of_lr_up(height, width, recipe, scale, data):
    """To the last bit, at every border and corner."""
    pixels = np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3), np.uint8)
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    top, left = data.draw(st.integers(0, height - rows)), data.draw(st.integers(0, width - columns))
    whole = recipe.apply(pixels, height * scale, width * scale)
    expected = whole[:, top * scale :, left * scale :][:, : rows * scale, : columns * scale]
    np.testing.assert_array_equal(recipe.crop(pixels, top, left, rows, columns, scale), expected)


@pytest.mark.parametrize("scale", [3, 5, 6, 7])
@pytest.mark.parametrize("recipe", [LrUpRecipe(), LrUpRecipe(rounding="none")], ids=["half_even", "none"])
def test_lr_up_in_bands_is_lr_up_at_scales_that_are_no_power_of_two(recipe, scale):
    """Thirds are no binary numbers: where a weight depended on its place, halves would round otherwise far down."""
    pixels = np.random.default_rng(scale).integers(0, 256, (2000, 3, 3), np.uint8)
    whole = recipe.apply(pixels, 2000 * scale, 3 * scale)
    bands = [recipe.crop(pixels, top, 0, 100, 3, scale) for top in range(0, 2000, 100)]
    assert np.array_equal(np.concatenate(bands, axis=1), whole)
