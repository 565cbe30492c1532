"""Photographs out: what a file keeps, what is refused, and nothing half-written."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
from PIL import Image

from srdiff.errors import OptionError, OutputError
from srdiff.photo.convert import photo_from, to_array
from srdiff.photo.photo import Photo
from srdiff.photo.read import read_photo
from srdiff.photo.write import FORMATS, check_storable, format_of, write_photo

from .pictures import (
    HEIGHT,
    PHOTOS,
    SRGB,
    exif_with,
    loaded,
    one_sentence,
    read,
    smooth,
    with_metadata,
)


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
    assert back.dpi == (240, 120)


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


# Nothing half-written


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
