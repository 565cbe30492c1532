"""Grey that is stored as RGB stays grey, and what lies beneath transparent pixels stays there: with the real model."""

from __future__ import annotations

import io
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image
from skimage import data

from srdiff import Upscaler
from srdiff.diversity import Wanted
from srdiff.noise import philox_noise
from srdiff.photo.bleed import HIDDEN, REACH, bled
from srdiff.photo.convert import photo_from
from srdiff.photo.neutral import MAX_SPREAD, is_neutral
from srdiff.photo.photo import Photo
from srdiff.photo.write import write_photo
from srdiff.samplers import Sampler

from ..models import SMALL
from .pictures import encoded, read

FEW = Sampler("dpm++", 8, 1.0, "quadratic")  # fewer leave noise in even areas
DISC = (230, 200, 90)


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    if not (find_spec("openvino") or find_spec("onnxruntime")):
        pytest.skip("no engine for ONNX here")
    return Upscaler.from_bundle(SMALL)


def grey_as_rgb(dtype: type = np.uint8) -> np.ndarray:
    grey = data.camera()[100:292:6, 180:372:6]
    return np.repeat(grey[..., None], 3, axis=2).astype(dtype) * dtype(np.iinfo(dtype).max // 255)


def spread(pixels: np.ndarray) -> int:
    return int(np.ptp(pixels.astype(int), axis=2).max())


# Neutral


@pytest.mark.parametrize("consistency", [False, True])
@pytest.mark.parametrize("format", ["JPEG", "WEBP", "PNG"])
def test_grey_stored_as_rgb_comes_out_grey(upscaler: Upscaler, format: str, consistency: bool) -> None:
    photo = read(encoded(Image.fromarray(grey_as_rgb()), format, quality=80))
    assert not photo.grey
    for result in Wanted(2, average=True, consistency=consistency).make(upscaler, photo, sampler=FEW):
        assert spread(result.pixels) == 0 and not result.grey
        stream = io.BytesIO()
        write_photo(result, stream, "jpg")
        assert Image.open(stream).mode == "RGB"
        assert spread(read(stream.getvalue()).pixels) == 0


def test_the_model_alone_colours_it(upscaler: Upscaler) -> None:
    """Or the tests here would show nothing; measured 48 levels between channels."""
    photo = Photo(grey_as_rgb())
    photo.pixels[0, 0] = (255, 0, 0)  # one pixel of colour, so that the photo is taken as it is
    result = upscaler.enlarge(photo, sampler=FEW)
    assert spread(result.pixels[40:]) > 20


def test_16_bits_come_out_grey(upscaler: Upscaler) -> None:
    assert spread(upscaler.enlarge(Photo(grey_as_rgb(np.uint16)), sampler=FEW).pixels) == 0


@pytest.mark.parametrize("quality", [10, 50, 75, 95, 100])
@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_codecs_leave_grey_within_the_bound(format: str, quality: int) -> None:
    for picture in (data.camera()[::4, ::4], np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)):
        image = Image.fromarray(np.repeat(picture[..., None], 3, axis=2))
        photo = read(encoded(image, format, quality=quality))
        assert spread(photo.pixels) <= 1 and is_neutral(photo)  # measured: 0 for JPEG, 1 for WebP


@pytest.mark.parametrize("chroma", [(127, 127), (127, 129), (129, 127), (129, 129)])
def test_the_bound_is_a_level_of_each_chroma(chroma: tuple[int, int]) -> None:
    planes = np.dstack([grey_as_rgb()[..., 0], *(np.full((32, 32), value, np.uint8) for value in chroma)])
    stored = read(encoded(Image.fromarray(planes, "YCbCr"), "JPEG", quality=95, subsampling=0))
    assert spread(stored.pixels) == MAX_SPREAD


def test_a_faint_tone_and_a_touch_of_colour_are_colour() -> None:
    warm = grey_as_rgb().clip(3, 252)
    warm[..., 0] += 2  # everywhere: a tone, however faint
    assert not is_neutral(Photo(warm))
    touched = grey_as_rgb().clip(3, 252)
    touched[5, 5, 0] += MAX_SPREAD + 1
    assert not is_neutral(Photo(touched))
    touched[5, 5, 0] -= 1
    assert is_neutral(Photo(touched))
    assert not is_neutral(Photo(data.astronaut()))


def test_what_cannot_be_seen_has_no_say() -> None:
    pixels = grey_as_rgb()
    pixels[:9] = (255, 0, 0)
    alpha = np.full((32, 32), 255, np.uint8)
    alpha[:9] = 0
    assert is_neutral(Photo(pixels, alpha)) and not is_neutral(Photo(pixels))


# Transparent


def cutout(beneath: tuple[int, int, int], dtype: type = np.uint8) -> Photo:
    """A disc with an antialiased rim in one colour over another that is fully transparent."""
    rows, columns = np.mgrid[0:32, 0:32] - 15.5
    cover = np.clip(11 - np.hypot(rows, columns) + 0.5, 0, 1)
    alpha = np.rint(cover * 255).astype(np.uint8)
    pixels = np.where(alpha[..., None] > 0, np.uint8(DISC), np.uint8(beneath))
    return photo_from(np.dstack([pixels, alpha]).astype(dtype) * dtype(np.iinfo(dtype).max // 255))


def rim_error(result: Photo) -> float:
    """The most that any visible pixel differs, over any background, from the disc's colour at its alpha; of 255."""
    assert result.alpha is not None
    white = float(np.iinfo(result.pixels.dtype).max)
    difference = np.abs(result.pixels / white * 255 - DISC).max(axis=2)
    return float((difference * (result.alpha / white)).max())


@pytest.mark.parametrize("consistency", [False, True])
@pytest.mark.parametrize("beneath", [(0, 0, 0), (255, 255, 255), (0, 255, 0)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_rim_of_a_cutout_keeps_its_colour(
    upscaler: Upscaler, beneath: tuple[int, int, int], dtype: type, consistency: bool
) -> None:
    photo = cutout(beneath, dtype)
    (result,) = Wanted(consistency=consistency).make(upscaler, photo, sampler=FEW)
    assert rim_error(result) < 4  # measured 2.0; without bleeding 72 over black


def test_without_bleeding_the_rim_falls(upscaler: Upscaler) -> None:
    photo = cutout((0, 0, 0))
    plan = upscaler.bundle.manifest.plan(FEW)
    assert rim_error(upscaler.compose(photo, upscaler.sample(photo.pixels, plan, philox_noise(0)))) > 40


def test_nearly_transparent_pixels_take_the_colour_too() -> None:
    photo = cutout((0, 0, 0))
    assert photo.alpha is not None
    faint = replace(photo, alpha=np.maximum(photo.alpha, HIDDEN))
    assert (bled(faint).pixels[12:20, 0] == DISC).all()
    seen = replace(photo, alpha=np.maximum(photo.alpha, HIDDEN + 1))
    assert bled(seen) is seen


def test_colours_go_as_far_as_the_reach_and_meet_in_their_mean() -> None:
    pixels = np.zeros((3, 2 * REACH + 6, 3), np.uint8)
    pixels[:, 0], pixels[:, 2] = (10, 20, 30), (20, 40, 61)
    alpha = np.zeros(pixels.shape[:2], np.uint8)
    alpha[:, 0] = alpha[:, 2] = 255
    result = bled(Photo(pixels, alpha))
    assert result.pixels[1, 1].tolist() == [15, 30, 46]  # rounded half up
    assert (result.pixels[:, 2 : 3 + REACH] == pixels[0, 2]).all()
    assert (result.pixels[:, 3 + REACH :] == 0).all()
    np.testing.assert_array_equal(result.alpha, alpha)
    assert (pixels[:, 1] == 0).all()  # the photo that was given is as it was


@pytest.mark.parametrize("alpha", [None, 0, 255])
def test_a_photo_without_a_rim_is_left(alpha: int | None) -> None:
    photo = Photo(grey_as_rgb(), None if alpha is None else np.full((32, 32), alpha, np.uint8))
    assert bled(photo) is photo


def test_bled_of_16_bits_is_that_of_8() -> None:
    """What is hidden is so by its share of the range, not by its number."""
    rng = np.random.default_rng(0)
    pixels, alpha = rng.integers(0, 256, (24, 24, 3), np.uint8), np.full((24, 24), 255, np.uint8)
    alpha[6:18, 6:18] = rng.integers(0, HIDDEN + 2, (12, 12))
    deep = bled(Photo(pixels * np.uint16(257), alpha * np.uint16(257)))
    assert np.abs(deep.pixels - 257.0 * bled(Photo(pixels, alpha)).pixels).max() < 257


@pytest.mark.parametrize("row", [10, 300, 599])
def test_a_tall_cut_out_is_neutral_where_it_is_seen(row: int) -> None:
    pixels, alpha = np.full((600, 8, 3), 90, np.uint8), np.full((600, 8), 255, np.uint8)
    pixels[row] = (250, 0, 0)
    assert not is_neutral(Photo(pixels, alpha))
    alpha[row] = 0
    assert is_neutral(Photo(pixels, alpha))


def test_bled_twice_is_bled_once() -> None:
    once = bled(cutout((0, 0, 0)))
    np.testing.assert_array_equal(bled(once).pixels, once.pixels)
