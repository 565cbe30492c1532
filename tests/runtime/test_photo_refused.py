"""What is refused: damaged, cut short, too large, not to be opened, or no image."""

from __future__ import annotations

import io
import os
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
from srdiff.photo.convert import photo_from
from srdiff.photo.read import read_photo

from .pictures import (
    SRGB,
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
