"""What is read beside the pixels: orientation, Exif and resolution."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from srdiff.errors import ImageError
from srdiff.photo.convert import photo_from, to_array
from srdiff.photo.photo import Photo
from srdiff.photo.read import read_photo

from .pictures import (
    chunk,
    encoded,
    exif_with,
    loaded,
    noise,
    png_bytes,
    read,
    smooth,
)


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


@pytest.mark.parametrize("kind", [b"zTXt", b"tEXt"])
def test_xmp_and_exif_as_older_programs_put_them_into_a_png(kind: bytes) -> None:
    """ImageMagick's and exiv2's "Raw profile type": upright, and no text of the result's."""
    exif, xmp = exif_with(_010F="Maker"), b"<rdf:Description tiff:Orientation='6'/>"
    data = png_bytes(noise(3))
    for name, profile in ((b"exif", exif), (b"xmp", xmp)):
        words = b"\n%s\n%8d\n%s\n" % (name, len(profile), profile.hex().encode())
        packed = b"\0" + zlib.compress(words) if kind == b"zTXt" else words
        data = data[:33] + chunk(kind, b"Raw profile type " + name + b"\0" + packed) + data[33:]
    photo = read(data)
    assert photo.xmp == xmp.replace(b"6", b"1") and loaded(photo.exif)[0x010F] == "Maker"
    assert photo.text == () and photo.lost == ()


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
