"""Arrays, Pillow images and grey."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from srdiff.errors import ImageError
from srdiff.photo.convert import photo_from, to_array, to_pil
from srdiff.photo.photo import Photo
from srdiff.photo.read import read_photo
from srdiff.photo.samples import with_straight_alpha

from .pictures import (
    HEIGHT,
    PHOTOS,
    SRGB,
    WIDTH,
    encoded,
    exif_with,
    noise,
    one_sentence,
    smooth,
    with_metadata,
)

# Grey


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_luma_of_equal_channels_is_exact(dtype: Any) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(256, -1)
    np.testing.assert_array_equal(to_array(photo_from(levels)), levels)


def test_luma_is_bt601_and_monotone() -> None:
    colours = noise(3)
    photo = Photo(colours, grey=True)
    np.testing.assert_array_equal(to_array(photo), np.asarray(Image.fromarray(colours).convert("L")))
    for channel in range(3):
        ramp = np.full((1, 256, 3), 90, np.uint8)
        ramp[0, :, channel] = np.arange(256)
        luma = to_array(Photo(ramp, grey=True))[0].astype(int)
        assert (np.diff(luma) >= 0).all() and luma[-1] > luma[0]


# Arrays and Pillow images


@pytest.mark.parametrize("shape", [(), (1,), (2,), (3,), (4,)])
@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
def test_arrays_come_back_as_they_were(shape: tuple[int, ...], dtype: str) -> None:
    samples = noise(*shape, dtype=np.uint8 if dtype == "u1" else np.uint16).astype(dtype)
    back = to_array(photo_from(samples))
    np.testing.assert_array_equal(back, samples[..., 0] if shape == (1,) else samples)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_arrays_become_16_bit(dtype: Any) -> None:
    photo = photo_from(np.array([[0, 0.25, 1]], dtype))
    assert photo.pixels.dtype == np.uint16
    assert to_array(photo).tolist() == [[0, 16384, 65535]]


@pytest.mark.parametrize("step", [1, 13])
def test_float_arrays_keep_every_16_bit_level(step: int) -> None:
    levels = np.arange(0, 65536, step, dtype=np.uint16)[None]
    np.testing.assert_array_equal(to_array(photo_from(levels.astype(np.float32) / 65535)), levels)


@pytest.mark.parametrize(
    "wrong",
    [
        np.array([[0.5, np.nan]]),
        np.array([[0.5, 1.01]]),
        np.array([[-0.01, 0.5]]),
        np.array([[np.inf]]),
        np.zeros((4, 4), np.int64),
        np.zeros((4, 4), bool),
        np.zeros((4, 4), object),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 0), np.uint8),
        "photo.png",
        None,
    ],
    ids=repr,
)
def test_other_arrays_are_refused(wrong: Any) -> None:
    with pytest.raises(ImageError) as caught:
        photo_from(wrong)
    one_sentence(caught.value)


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.zeros((4, 4), np.uint8), None),
        (np.zeros((4, 4, 4), np.uint8), None),
        (np.zeros((0, 4, 3), np.uint8), None),
        (np.zeros((4, 4, 3), np.float32), None),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.uint8)),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint16)),
    ],
)
def test_photo_checks_itself(pixels: np.ndarray, alpha: np.ndarray | None) -> None:
    with pytest.raises(ImageError) as caught:
        Photo(pixels, alpha)
    one_sentence(caught.value)


def test_enlarged_keeps_the_metadata() -> None:
    photo = with_metadata(noise(2))
    large = photo.enlarged(photo.pixels.repeat(4, axis=0), None)
    assert large.pixels.shape == (4 * HEIGHT, WIDTH, 3) and large.alpha is None and large.grey
    assert (large.icc_profile, large.exif, large.dpi) == (SRGB, photo.exif, (240, 120))


@pytest.mark.parametrize("name", PHOTOS)
def test_to_pil_saves_with_its_metadata(name: str, tmp_path: Path) -> None:
    samples, eight_bit = PHOTOS[name]
    image = to_pil(with_metadata(samples))
    modes = {"grey": "L", "grey-alpha": "LA", "rgb": "RGB", "rgba": "RGBA"}
    assert image.mode == ("I;16" if name == "grey-16" else modes[name.replace("-16", "")])
    expected = samples if eight_bit or name == "grey-16" else np.rint(samples / 257)
    np.testing.assert_array_equal(np.asarray(image), expected)
    image.save(tmp_path / "out.png", dpi=image.info["dpi"])
    back = read_photo(tmp_path / "out.png")
    assert (back.icc_profile, back.dpi) == (SRGB, pytest.approx((240, 120), abs=0.02))


def test_photo_from_pillow_leaves_the_image_alone() -> None:
    data = encoded(Image.fromarray(smooth()), "JPEG", exif=exif_with(_0112=6), icc_profile=SRGB, dpi=(96, 96))
    image = Image.open(io.BytesIO(data))
    photo = photo_from(image)
    assert photo.pixels.shape == (80, 64, 3) and photo.icc_profile == SRGB and photo.dpi == (96, 96)
    assert image.size == (80, 64) and image.getexif()[0x0112] == 6


def test_colour_beyond_its_alpha_is_white_and_does_not_wrap() -> None:
    """No rule keeps a file from it, and arithmetic of editors leaves it by a level."""
    samples = np.array([[[32769, 32768], [65535, 1], [7, 0], [16384, 32768]]], np.uint16)
    straight = with_straight_alpha(samples)
    assert straight[..., 0].tolist() == [[65535, 65535, 65535, 32768]]
    assert (straight[..., 1] == samples[..., 1]).all()
