"""Photographs in: real files of every kind, and what is refused."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from srdiff.errors import ImageError
from srdiff.photo.convert import photo_from, to_array
from srdiff.photo.read import read_photo

from .pictures import (
    HEIGHT,
    SRGB,
    WIDTH,
    chunk,
    encoded,
    exif_with,
    noise,
    one_sentence,
    png_bytes,
    png_head,
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


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"not an image at all", "no image"),
        (encoded(Image.new("RGB", (8, 8)), "JPEG2000"), "JPEG 2000"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "vector"),
        (png_head(5, 5)[:20], "damaged"),
        (png_head(5, 5) + chunk(b"IDAT", b"junk") + chunk(b"IEND", b""), "damaged"),
        (png_head(50000, 50000) + chunk(b"IDAT", b""), "50000x50000"),
        (png_head(50000, 50000, 16), "max_pixels"),
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
    assert "80x64" in message and "5119" in message and "max_pixels" in message


def test_limit_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(smooth()), "JPEG")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert "80x64" in refused(data, max_pixels=100)


def test_the_option_governs_instead_of_pillows_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(smooth()), "JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow alone would refuse
        assert read(data).pixels.shape == (64, 80, 3)


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
