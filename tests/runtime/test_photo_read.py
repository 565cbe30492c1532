"""Photographs in: real files of every kind, and what is refused."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from srdiff.photo.convert import photo_from, to_array

from .pictures import (
    HEIGHT,
    SRGB,
    WIDTH,
    encoded,
    noise,
    png_bytes,
    read,
    refused,
    smooth,
)

# What a file's pixels become


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(), (2,), (3,), (4,)])
@pytest.mark.parametrize("interlace", [False, True])
def test_png_samples_arrive_exactly(shape: tuple[int, ...], dtype: Any, interlace: bool) -> None:
    samples = noise(*shape, dtype=dtype)
    photo = read(png_bytes(samples, interlace=interlace))
    assert photo.pixels.dtype == dtype and photo.pixels.shape == (HEIGHT, WIDTH, 3)
    assert photo.grey == (shape in ((), (2,)))
    assert (photo.alpha is not None) == (shape in ((2,), (4,)))
    np.testing.assert_array_equal(to_array(photo), samples)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_key_colour_of_grey_becomes_alpha(depth: int) -> None:
    levels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 2**depth
    key = 2**depth - 1 if depth < 8 else 5
    photo = read(png_bytes(levels.astype(np.uint16), bitdepth=depth, transparent=key))
    top = 65535 if depth == 16 else 255
    assert photo.grey and photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha, np.where(levels == key, 0, top))
    np.testing.assert_array_equal(photo.pixels[..., 1], levels * (top // (2**depth - 1)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_key_colour_of_rgb_becomes_alpha(dtype: Any) -> None:
    samples = noise(3, dtype=dtype)
    samples[2, 3] = samples[4, 5]
    photo = read(png_bytes(samples, transparent=tuple(samples[4, 5].tolist())))
    np.testing.assert_array_equal(photo.pixels, samples)
    assert photo.alpha is not None
    assert sorted(zip(*np.nonzero(photo.alpha == 0))) == [(2, 3), (4, 5)]


@pytest.mark.parametrize("format", ["PNG", "GIF", "TIFF"])
def test_palette_becomes_rgb(format: str) -> None:
    image = Image.fromarray(noise(3)).quantize(32)
    photo = read(encoded(image, format))
    assert not photo.grey and photo.alpha is None
    np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(("format", "transparency"), [("PNG", 3), ("GIF", 3), ("PNG", bytes(range(0, 250, 10)))])
def test_palette_transparency_becomes_alpha(format: str, transparency: int | bytes) -> None:
    image = Image.fromarray(noise(3)).quantize(25)
    photo = read(encoded(image, format, transparency=transparency))
    index = np.asarray(image)
    expected = np.where(index == 3, 0, 255) if isinstance(transparency, int) else index * 10
    np.testing.assert_array_equal(photo.alpha, expected)
    opaque = expected > 0
    np.testing.assert_array_equal(photo.pixels[opaque], np.asarray(image.convert("RGB"))[opaque])


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_one_bit_becomes_grey(format: str) -> None:
    bits = noise() > 127
    photo = read(encoded(Image.fromarray(bits), format))
    assert photo.grey and photo.alpha is None
    np.testing.assert_array_equal(photo.pixels, np.repeat(bits[..., None] * np.uint8(255), 3, axis=2))


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_grey_tiff_of_either_byte_order(order: str) -> None:
    levels = noise(dtype=np.uint16)
    entries = [
        (256, WIDTH),
        (257, HEIGHT),
        (258, 16),
        (259, 1),
        (262, 1),
        (273, 122),
        (277, 1),
        (278, HEIGHT),
    ]
    entries.append((279, levels.nbytes))
    data = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, len(entries))
    data += b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in entries) + bytes(4)
    assert len(data) == 122
    photo = read(data + levels.astype(order + "u2").tobytes())
    assert photo.grey and photo.pixels.dtype == np.uint16
    np.testing.assert_array_equal(to_array(photo), levels)


def tiff_of(levels: np.ndarray, order: str, big: bool, *more: tuple[int, int, int, bytes]) -> bytes:
    """16-bit grey in one strip, in TIFF or BigTIFF; ``more`` are tag, type, count and a value of up to 16 bytes."""
    count, place, size = ("Q", "Q", 20) if big else ("H", "I", 12)
    height, width = levels.shape
    first = 16 if big else 8
    numbers = {256: width, 257: height, 258: 16, 259: 1, 262: 1, 277: 1, 278: height, 279: levels.nbytes}
    rows = [(tag, 4, 1, struct.pack(order + "I", value)) for tag, value in numbers.items()]
    body = first + struct.calcsize("=" + count) + size * (len(rows) + 1 + len(more)) + struct.calcsize("=" + place)
    rows += [(273, 4, 1, struct.pack(order + "I", body + 16 * len(more))), *more]
    head, values = b"", b""
    for tag, kind, length, data in sorted(rows, key=lambda row: row[0]):
        head += struct.pack(order + "HH" + place, tag, kind, length)
        if len(data) <= struct.calcsize("=" + place):
            head += data.ljust(struct.calcsize("=" + place), b"\0")
        else:
            head += struct.pack(order + place, body + len(values))
            values += data.ljust(16, b"\0")
    start = {"<": b"II", ">": b"MM"}[order]
    start += struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    directory = start + struct.pack(order + count, len(rows)) + head + struct.pack(order + place, 0)
    return directory + values.ljust(16 * len(more), b"\0") + levels.astype(order + "u2").tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("across", "unit", "dpi"),
    [((300, 1), 2, (300, 300)), ((600, 2), 3, (762, 762)), ((0, 1), 2, None), ((1, 0), 2, None), ((0, 0), 2, None)],
)
def test_a_tiff_of_16_bits_with_its_resolution(
    across: tuple[int, int], unit: int, dpi: tuple[float, float] | None, big: bool, order: str
) -> None:
    levels, ratio = noise(dtype=np.uint16), struct.pack(order + "II", *across)
    more = [(282, 5, 1, ratio), (283, 5, 1, ratio), (296, 3, 1, struct.pack(order + "H", unit))]
    photo = read(tiff_of(levels, order, big, *more))
    np.testing.assert_array_equal(to_array(photo), levels)
    assert photo.dpi == (dpi if dpi is None else pytest.approx(dpi)) and photo.lost == ()


def test_32_bit_integers_within_16_bits_are_16_bit_grey() -> None:
    levels = noise(dtype=np.uint16)
    photo = photo_from(Image.fromarray(levels.astype(np.int32)))
    assert photo.grey and photo.pixels.dtype == np.uint16
    np.testing.assert_array_equal(to_array(photo), levels)


@pytest.mark.parametrize("level", [-1, 65536])
def test_32_bit_integers_beyond_16_bits_are_refused(level: int) -> None:
    message = refused(encoded(Image.new("I", (4, 4), level), "TIFF"))
    assert f"{level}" in message and "65535" in message


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_float_tiff_of_either_range(top: float) -> None:
    levels = np.linspace(0, 1, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    photo = read(encoded(Image.fromarray((levels * top).astype(np.float32)), "TIFF"))
    assert photo.grey
    np.testing.assert_allclose(photo.pixels[..., 0], levels * 65535, atol=0.6)


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX", "CMYK"])
def test_other_colour_models_are_converted_as_pillow_does(mode: str) -> None:
    image = Image.fromarray(smooth()).convert(mode)
    photo = photo_from(image)
    assert not photo.grey and photo.alpha is None
    np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))


def palette_with_alpha() -> Image.Image:
    image = Image.new("L", (4, 4), 200).convert("P").convert("PA")
    image.putalpha(100)
    return image


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (4, 4), (200, 200, 200, 100)).convert("RGBa"),
        Image.new("LA", (4, 4), (200, 100)).convert("La"),
        palette_with_alpha(),
    ],
    ids=lambda image: image.mode,
)
def test_alpha_comes_out_straight(image: Image.Image) -> None:
    photo = photo_from(image)
    assert photo.grey == (image.mode == "La")
    assert photo.alpha is not None and (photo.alpha == 100).all()
    np.testing.assert_allclose(photo.pixels.astype(int), 200, atol=2)  # 100 levels cannot say it better


@pytest.mark.parametrize("lightness", [0, 40, 128, 255])
def test_neutral_lab_is_neutral_srgb_of_that_lightness(lightness: int) -> None:
    image = Image.new("LAB", (3, 3), (lightness, 128, 128))
    red, green, blue = read(encoded(image, "TIFF")).pixels[1, 1].astype(int)
    assert max(red, green, blue) - min(red, green, blue) <= 1
    star = lightness / 255 * 100
    linear = ((star + 16) / 116) ** 3 if star > 8 else star / 903.3
    srgb = 1.055 * linear ** (1 / 2.4) - 0.055 if linear > 0.0031308 else 12.92 * linear
    assert abs(green - 255 * srgb) <= 2


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP"])
def test_first_frame_of_several(format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    photo = read(encoded(frames[0], format, save_all=True, append_images=frames[1:]))
    np.testing.assert_allclose(photo.pixels.astype(int), np.broadcast_to([255, 0, 0], (8, 8, 3)), atol=3)


# CMYK


def cmyk_profile() -> bytes:
    """A printer whose every ink mixture is the same orange: L* 70, a* 40, b* 60."""
    lab = bytes([round(70 * 2.55), 128 + 40, 128 + 60])
    ramp = bytes(range(256))
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + lab * 16 + ramp * 3
    text = b"text\0\0\0\0a test\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    description = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = [(b"desc", description), (b"cprt", text), (b"wtpt", white), (b"A2B0", table)]
    directory, body = struct.pack(">I", len(tags)), b""
    for name, data in tags:
        directory += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4sI4s4s4s", 132 + len(directory) - 4 + len(body), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab "
    )
    head += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + directory + body


def test_cmyk_goes_through_its_profile_and_leaves_it_behind() -> None:
    image = Image.new("CMYK", (8, 8), (200, 30, 90, 10))
    photo = read(encoded(image, "JPEG", icc_profile=cmyk_profile(), quality=100))
    assert photo.icc_profile is None
    # That orange in sRGB, where the inks say green.
    np.testing.assert_allclose(photo.pixels[4, 4].astype(int), [252, 139, 59], atol=2)


@pytest.mark.parametrize("profile", [None, b"\0" * 200, SRGB], ids=["none", "broken", "of another colour space"])
@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_without_a_usable_profile_is_converted_plainly(format: str, profile: bytes | None) -> None:
    image = Image.new("CMYK", (8, 8), (200, 30, 90, 10))
    data = encoded(image, format, **({"icc_profile": profile} if profile else {}))
    photo = read(data)
    assert photo.icc_profile is None
    np.testing.assert_array_equal(photo.pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


# Refusals of what is read
