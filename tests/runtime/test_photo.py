"""Photographs in and out, on real files made with Pillow, pypng and a little struct."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from srdiff.errors import ImageError, OptionError, OutputError
from srdiff.files import atomic_file
from srdiff.photo import Photo
from srdiff.photo_read import photo_from, read_photo
from srdiff.photo_write import FORMATS, check_storable, format_of, to_array, to_pil, write_photo

HEIGHT, WIDTH = 13, 17
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PNG_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}


def noise(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(7).integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, *shape), dtype, True)


def smooth(height: int = 64, width: int = 80) -> np.ndarray:
    """An RGB picture that JPEG and WebP keep nearly unchanged."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 3, columns * 2, 200 - rows - columns], axis=2).astype(np.uint8)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def png_bytes(samples: np.ndarray, **options: Any) -> bytes:
    """A PNG by pypng, so that what it holds does not depend on Pillow."""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    options.setdefault("bitdepth", samples.dtype.itemsize * 8)
    stream = io.BytesIO()
    writer = png.Writer(WIDTH, HEIGHT, greyscale=channels < 3, alpha=channels in (2, 4), **options)
    writer.write(stream, samples.reshape(HEIGHT, -1).tolist())
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_head(width: int, height: int, depth: int = 8, colour_type: int = 2) -> bytes:
    ihdr = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr)


def read(data: bytes, **options: Any) -> Photo:
    return read_photo(io.BytesIO(data), **options)


def refused(data: bytes, **options: Any) -> str:
    with pytest.raises(ImageError) as caught:
        read(data, **options)
    return one_sentence(caught.value)


def one_sentence(error: Exception) -> str:
    """The message, which says what was found and, after a semicolon, what to do."""
    message = str(error)
    assert message.count("; ") == 1 and "\n" not in message
    return message


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


# Metadata


def exif_with(**ifd0: Any) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x8769] = {0x829A: 0.25, 0xA002: 4321, 0x927C: b"maker note"}
    exif[0x8825] = {1: "N", 29: "2024:01:01"}
    for tag, value in ifd0.items():
        exif[int(tag[1:], 16)] = value
    return exif.tobytes()


def loaded(data: bytes | None) -> Image.Exif:
    assert data is not None
    exif = Image.Exif()
    exif.load(data)
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_orientation_is_applied_and_reset(format: str, orientation: int) -> None:
    options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {}
    data = encoded(Image.fromarray(smooth(16, 32)), format, exif=exif_with(_0112=orientation), **options)
    photo = read(data)
    stored = Image.open(io.BytesIO(data)).convert("RGB") if format == "JPEG" else Image.fromarray(smooth(16, 32))
    stored.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(photo.pixels, np.asarray(ImageOps.exif_transpose(stored)))
    assert photo.pixels.shape[:2] == ((32, 16) if orientation > 4 else (16, 32))
    assert loaded(photo.exif).get(0x0112, 1) == 1


def test_orientation_turns_16_bits_and_alpha_too() -> None:
    samples = noise(4, dtype=np.uint16)
    head, rest = png_bytes(samples)[:33], png_bytes(samples)[33:]
    photo = read(head + chunk(b"eXIf", exif_with(_0112=6)[6:]) + rest)
    np.testing.assert_array_equal(to_array(photo), np.rot90(samples, -1))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_exif_keeps_the_photograph_and_drops_the_file(format: str) -> None:
    structural = {} if format == "TIFF" else {"_0100": 4321, "_0111": 8}  # a TIFF file has its own
    kept = loaded(read(encoded(Image.fromarray(smooth()), format, exif=exif_with(**structural))).exif)
    assert kept[0x010F] == "Maker"
    assert float(kept.get_ifd(0x8769)[0x829A]) == 0.25
    assert kept.get_ifd(0x8769)[0x927C] == b"maker note"
    assert kept.get_ifd(0x8825)[29] == "2024:01:01"
    assert not {0x0100, 0x0101, 0x0111} & set(kept)
    assert 0xA002 not in kept.get_ifd(0x8769)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_orientation_of_a_compressed_tiff(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"
    data = encoded(Image.fromarray(smooth()), "TIFF", exif=exif.tobytes(), compression="tiff_adobe_deflate")
    (tmp_path / "it.tif").write_bytes(data)
    for photo in (read(data), read_photo(tmp_path / "it.tif")):
        np.testing.assert_array_equal(photo.pixels, np.rot90(smooth(), {1: 0, 3: 2, 6: -1}[orientation]))
        assert loaded(photo.exif)[0x010F] == "Maker"
        assert loaded(photo.exif).get(0x0112, 1) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_keeps_its_byte_order_for_maker_notes(order: str) -> None:
    head = {"<": b"II*\0\x08\0\0\0", ">": b"MM\0*\0\0\0\x08"}[order]
    exif = b"Exif\0\0" + head + struct.pack(order + "HHHI4sI", 1, 0x010F, 2, 4, b"abc\0", 0)
    photo = read(encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif))
    assert photo.exif is not None and photo.exif[6:8] == head[:2]


def test_exif_thumbnail_is_dropped() -> None:
    thumbnail = encoded(Image.new("RGB", (160, 120), "red"), "JPEG")
    make = struct.pack(">HHHI4s", 1, 0x010F, 2, 4, b"abc\0")
    second = struct.pack(">HHHIIHHII", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, len(thumbnail))
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + make + struct.pack(">I", 26) + second + bytes(4) + thumbnail
    assert exif[6 + 56 :] == thumbnail
    photo = read(encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif))
    assert loaded(photo.exif)[0x010F] == "abc"
    assert photo.exif is not None and thumbnail[:20] not in photo.exif


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0garbage of a kind"])
def test_damaged_exif_does_not_cost_the_picture(exif: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photo = read(encoded(Image.fromarray(smooth()), "JPEG", exif=exif))
    assert photo.exif is None and photo.pixels.shape == (64, 80, 3)


@pytest.mark.parametrize("dpi", [(0, 0), (float("nan"), 1), (300, 1e9), ("x", "y"), (300,), 300])
def test_senseless_resolution_is_none(dpi: Any) -> None:
    image = Image.new("RGB", (2, 2))
    image.info["dpi"] = dpi
    assert photo_from(image).dpi is None
    if isinstance(dpi, tuple) and len(dpi) == 2 and dpi != ("x", "y"):
        with pytest.raises(ImageError, match="resolution"):
            Photo(smooth(), dpi=dpi)


PHOTOS = {
    "grey": (noise(), True),
    "grey-alpha": (noise(2), True),
    "rgb": (noise(3), True),
    "rgba": (noise(4), True),
    "grey-16": (noise(dtype=np.uint16), False),
    "grey-alpha-16": (noise(2, dtype=np.uint16), False),
    "rgb-16": (noise(3, dtype=np.uint16), False),
    "rgba-16": (noise(4, dtype=np.uint16), False),
}


def with_metadata(samples: np.ndarray) -> Photo:
    plain = photo_from(samples)
    exif = read(encoded(Image.new("L", (1, 1)), "PNG", exif=exif_with(_0112=3))).exif
    return Photo(plain.pixels, plain.alpha, plain.grey, SRGB, exif, (240.0, 120.0))


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("format", ["png", "tiff"])
def test_lossless_round_trip(name: str, format: str, tmp_path: Path) -> None:
    samples, eight_bit = PHOTOS[name]
    photo = with_metadata(samples)
    if format == "tiff" and not eight_bit and name != "grey-16":
        with pytest.raises(OutputError) as caught:
            write_photo(photo, tmp_path / "out.tiff", format)
        assert "png" in one_sentence(caught.value)
        assert list(tmp_path.iterdir()) == []
        return
    write_photo(photo, tmp_path / "out", format)
    back = read_photo(tmp_path / "out")
    assert back.pixels.dtype == samples.dtype and back.grey == photo.grey
    np.testing.assert_array_equal(to_array(back), samples)
    assert back.icc_profile == SRGB
    assert back.dpi == pytest.approx((240, 120), abs=0.02)
    assert loaded(back.exif).get_ifd(0x8825)[29] == "2024:01:01"


@pytest.mark.parametrize("name", ["rgb-16", "grey-16", "rgba-16", "grey-alpha-16"])
def test_16_bit_png_is_valid_for_other_readers(name: str) -> None:
    samples, _ = PHOTOS[name]
    stream = io.BytesIO()
    write_photo(with_metadata(samples), stream, "png")
    stream.seek(0)
    _, _, rows, info = png.Reader(file=stream).read()
    np.testing.assert_array_equal(np.array([list(row) for row in rows]), samples.reshape(HEIGHT, -1))
    assert info["bitdepth"] == 16
    assert struct.pack(">I4s", 0, b"IDAT") not in stream.getvalue()
    assert b"eXIfMM\0*" in stream.getvalue() and b"Exif\0\0" not in stream.getvalue()
    stream.seek(0)
    with Image.open(stream) as image:
        image.load()
        assert image.info["icc_profile"] == SRGB
        assert image.info["dpi"] == pytest.approx((240, 120), abs=0.02)
        assert image.getexif()[0x010F] == "Maker"


@pytest.mark.parametrize("format", ["jpg", "webp"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("grey", [False, True])
def test_lossy_formats_stay_close_and_keep_metadata(format: str, dtype: Any, grey: bool) -> None:
    samples = smooth()[..., 0] if grey else smooth()
    stream = io.BytesIO()
    write_photo(with_metadata(samples * dtype(1 if dtype == np.uint8 else 257)), stream, format)
    back = read(stream.getvalue())
    assert back.pixels.dtype == np.uint8 and back.grey == (grey and format == "jpg")
    expected = samples[..., None] if grey else samples
    assert np.abs(back.pixels.astype(int) - expected).mean() < 1.5
    assert back.icc_profile == SRGB
    assert loaded(back.exif)[0x010F] == "Maker"
    assert back.dpi == ((240, 120) if format == "jpg" else None)


def test_jpeg_keeps_full_colour_resolution() -> None:
    stream = io.BytesIO()
    write_photo(photo_from(smooth()), stream, "jpg")
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_webp_keeps_transparency_but_no_grey_profile() -> None:
    samples = np.dstack([smooth()[..., 0], smooth()[..., 1]])
    grey_profile = SRGB[:16] + b"GRAY" + SRGB[20:]
    plain = photo_from(samples)
    photo = Photo(plain.pixels, plain.alpha, True, grey_profile)
    stream = io.BytesIO()
    write_photo(photo, stream, "webp")
    back = read(stream.getvalue())
    np.testing.assert_array_equal(back.alpha, samples[..., 1])
    assert back.icc_profile is None


def test_jpeg_drops_exif_that_it_cannot_hold() -> None:
    exif = exif_with(_010E="x" * 70000)
    photo = Photo(smooth(), exif=exif)
    stream = io.BytesIO()
    write_photo(photo, stream, "jpg")
    assert read(stream.getvalue()).exif is None


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


# Refusals of what is read


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"not an image at all", "no image"),
        (encoded(Image.new("RGB", (8, 8)), "JPEG2000"), "no image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "no image"),
        (png_head(5, 5)[:20], "damaged"),
        (png_head(5, 5) + chunk(b"IDAT", b"junk") + chunk(b"IEND", b""), "damaged"),
        (png_head(50000, 50000) + chunk(b"IDAT", b""), "50000x50000"),
        (png_head(50000, 50000, 16), "--max-pixels"),
    ],
)
def test_what_is_no_good_image_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refused(data)
        assert says in message and "standard input" in message
        (tmp_path / "it.png").write_bytes(data)
        with pytest.raises(ImageError, match=r"it\.png"):
            read_photo(str(tmp_path / "it.png"))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM"])
def test_limit_counts_pixels_of_any_format(format: str) -> None:
    data = encoded(Image.fromarray(smooth()), format)
    assert read(data, max_pixels=64 * 80).pixels.shape == (64, 80, 3)
    message = refused(data, max_pixels=64 * 80 - 1)
    assert "80x64" in message and "5119" in message and "--max-pixels" in message


def test_limit_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(smooth()), "JPEG")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert "80x64" in refused(data, max_pixels=100)


def test_pillows_own_limit_neither_leaks_nor_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(smooth()), "JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 80 - 1)  # Pillow would warn
        assert read(data).pixels.shape == (64, 80, 3)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 80 // 2 - 1)  # Pillow refuses
        assert "refused by Pillow" in refused(data)


@pytest.mark.parametrize(
    "format",
    [
        "PNG",
        "PNG-16",
        "JPEG",
        "progressive JPEG",
        "TIFF",
        "deflated TIFF",
        "WEBP",
        "BMP",
        "GIF",
        "PPM",
        "AVIF",
    ],
)
def test_truncation_never_passes_for_a_picture(format: str) -> None:
    picture = Image.fromarray(np.tile(noise(3), (4, 4, 1)))
    options = {
        "progressive JPEG": {"progressive": True},
        "deflated TIFF": {"compression": "tiff_adobe_deflate"},
    }
    Image.init()
    if format == "AVIF" and format not in Image.SAVE:
        pytest.skip("this Pillow has no AVIF")
    if format == "PNG-16":
        data = png_bytes(noise(3, dtype=np.uint16))
    else:
        data = encoded(picture, format.split()[-1], **options.get(format, {}))
    whole = read(data)
    tail = range(len(data) - 40, len(data))
    passed = 0
    for length in sorted({*range(0, len(data), max(1, len(data) // 60)), *tail}):
        try:
            cut = read(data[:length])
        except ImageError as error:
            one_sentence(error)
            continue
        passed += 1
        np.testing.assert_array_equal(cut.pixels, whole.pixels)
        assert length >= len(data) - 40, "only what follows the pixels may be missing"
    assert passed <= 30


@pytest.mark.parametrize("source", ["missing.png", "", "folder", "file.png/inside.png", "nul\0byte.png"])
def test_what_cannot_be_opened_is_refused(source: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.png").write_bytes(encoded(Image.new("L", (2, 2)), "PNG"))
    with pytest.raises(ImageError, match="cannot be opened") as caught:
        read_photo(f"{tmp_path}/{source}")
    assert str(tmp_path) in one_sentence(caught.value)


def test_no_permission_to_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ImageError, match="Permission denied"):
        read_photo(tmp_path / "secret.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    data = encoded(Image.fromarray(smooth()), "PNG")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
    writer.start()
    photo = read_photo(tmp_path / "pipe")
    writer.join()
    np.testing.assert_array_equal(photo.pixels, smooth())


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise MemoryError

    data = encoded(Image.fromarray(smooth()), "BMP")
    monkeypatch.setattr(Image.Image, "convert", full)
    with pytest.raises(ImageError, match="memory"):
        photo_from(Image.open(io.BytesIO(data)))


def test_a_stream_is_read_from_where_it_stands() -> None:
    stream = io.BytesIO(b"prefix" + encoded(Image.fromarray(smooth()), "PNG"))
    stream.seek(6)
    np.testing.assert_array_equal(read_photo(stream).pixels, smooth())


SEEDS = [
    encoded(Image.fromarray(smooth(9, 8)), "PNG", exif=exif_with(), dpi=(72, 72)),
    png_bytes(noise(3, dtype=np.uint16)),
    encoded(Image.fromarray(smooth(9, 8)), "JPEG", exif=exif_with(), icc_profile=SRGB),
    encoded(Image.fromarray(smooth(9, 8)), "GIF"),
    encoded(Image.fromarray(smooth(9, 8)), "TIFF", exif=exif_with()),
    encoded(Image.fromarray(smooth(9, 8)), "BMP"),
    encoded(Image.fromarray(smooth(9, 8)), "PPM"),
    encoded(Image.fromarray(smooth(9, 8)), "WEBP"),
]
fuzz = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@fuzz
@given(
    start=st.sampled_from([b"", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF89a", b"BM", b"P6\n", png_head(4, 4, 16)]),
    rest=st.binary(max_size=200),
)
def test_random_bytes_raise_only_image_error(start: bytes, rest: bytes) -> None:
    try:
        read(start + rest, max_pixels=10_000)
    except ImageError as error:
        one_sentence(error)


@fuzz
@given(seed=st.sampled_from(SEEDS), position=st.integers(0, 10_000), patch=st.binary(min_size=1, max_size=4))
def test_damage_in_the_middle_raises_only_image_error(seed: bytes, position: int, patch: bytes) -> None:
    position %= len(seed)
    try:
        photo = read(seed[:position] + patch + seed[position + len(patch) :], max_pixels=10_000)
    except ImageError as error:
        one_sentence(error)
    else:
        assert photo.pixels.ndim == 3


# Refusals of what is written


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.PNG", "png"),
        ("b.x.jpeg", "jpg"),
        ("c.jpg", "jpg"),
        ("d.webp", "webp"),
        ("e.tif", "tiff"),
        ("f.TIFF", "tiff"),
    ],
)
def test_format_of_a_suffix(name: str, format: str) -> None:
    assert format_of(name) == format_of(Path("some.gif") / name) == format
    assert format in FORMATS


@pytest.mark.parametrize("name", ["photo", "photo.gif", "png", ".png", "photo.png.", ""])
def test_format_of_other_suffixes(name: str) -> None:
    with pytest.raises(OptionError, match=r"\.png"):
        format_of(name)


def test_unknown_format_is_an_option_error() -> None:
    with pytest.raises(OptionError, match="'gif'"):
        write_photo(photo_from(smooth()), io.BytesIO(), "gif")


@pytest.mark.parametrize(("format", "side"), [("webp", 16383), ("jpg", 65500)])
@pytest.mark.parametrize("upright", [False, True])
def test_side_limits(format: str, side: int, upright: bool, tmp_path: Path) -> None:
    def strip(length: int) -> Photo:
        return photo_from(np.zeros((length, 1) if upright else (1, length), np.uint8))

    write_photo(strip(side), tmp_path / "out", format)
    (tmp_path / "out").unlink()
    for photo, scale in ((strip(side + 1), 1), (strip(side // 4 + 1), 4)):
        with pytest.raises(OutputError, match=str(side)) as caught:
            check_storable(photo, format, scale)
        one_sentence(caught.value)
    with pytest.raises(OutputError):
        write_photo(strip(side + 1), tmp_path / "out", format)
    assert list(tmp_path.iterdir()) == []


def test_jpeg_refuses_transparency_but_takes_opaque_alpha() -> None:
    alpha = np.full((64, 80), 255, np.uint8)
    stream = io.BytesIO()
    write_photo(Photo(smooth(), alpha), stream, "jpg")
    assert np.abs(read(stream.getvalue()).pixels.astype(int) - smooth()).mean() < 1.5
    alpha[3, 4] = 254
    with pytest.raises(OutputError, match="png or webp"):
        write_photo(Photo(smooth(), alpha), io.BytesIO(), "jpg")


def test_what_an_encoder_refuses_is_an_output_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise ValueError("too\nodd")

    monkeypatch.setattr(Image.Image, "save", refuses)
    with pytest.raises(OutputError, match="too odd") as caught:
        write_photo(photo_from(smooth()), io.BytesIO(), "jpg")
    one_sentence(caught.value)


@pytest.mark.parametrize("target", ["missing/out.png", "file/out.png", "folder", "x" * 300 + ".png"])
def test_what_the_system_refuses_is_an_output_error(target: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError) as caught:
        write_photo(photo_from(smooth()), tmp_path / target, "png")
    assert target in one_sentence(caught.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


@pytest.mark.parametrize("at", ["write", "flush"])
def test_a_full_disk_is_an_output_error(at: str) -> None:
    class Full(io.BytesIO):
        name = "full disk"

        def write(self, data: Any) -> int:
            return self.refuse("write")

        def flush(self) -> None:
            self.refuse("flush")

        def refuse(self, step: str) -> int:
            if step == at:
                raise OSError(28, "No space left on device")
            return 0

    with pytest.raises(OutputError, match=r"full disk .*No space left.*; free some space"):
        write_photo(photo_from(smooth()), Full(), "png")


# atomic_file


@pytest.mark.parametrize(
    "fails", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError(), None], ids=repr
)
@pytest.mark.parametrize("early", [False, True])
def test_atomic_file_is_all_or_nothing(fails: BaseException | None, early: bool, tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_text("old")

    def work() -> None:
        with atomic_file(path) as temporary:
            assert temporary.parent == path.parent and temporary.suffix == ".png" and temporary != path
            if fails and early:
                raise fails
            temporary.write_text("new")
            assert path.read_text() == "old"
            if fails:
                raise fails

    if fails:
        with pytest.raises(OutputError if isinstance(fails, OSError) else type(fails)):
            work()
    else:
        work()
    assert path.read_text() == ("old" if fails else "new")
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_file_refuses_a_folder_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder"), atomic_file(tmp_path):
        pytest.fail("the work was done")


def test_failing_rename_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", denied)
    with pytest.raises(OutputError, match="Permission denied"):
        write_photo(photo_from(smooth()), tmp_path / "out.png", "png")
    assert list(tmp_path.iterdir()) == []


def test_interrupted_encoding_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Image.Image, stream: Any, *_: Any, **__: Any) -> None:
        stream.write(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_photo(photo_from(smooth()), tmp_path / "out.png", "png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs permission bits and symbolic links")
def test_new_files_obey_the_umask_and_links_stay_links(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to("real.png")
    before = os.umask(0o027)
    try:
        write_photo(photo_from(smooth()), tmp_path / "link.png", "png")
    finally:
        os.umask(before)
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").stat().st_mode & 0o777 == 0o640
    np.testing.assert_array_equal(read_photo(tmp_path / "link.png").pixels, smooth())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with atomic_file(pipe) as path:
        assert path == pipe
    assert pipe.is_fifo()
