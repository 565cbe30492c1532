"""Files whose pixels an ordinary decoder gets wrong: read right, or refused with the true reason."""

from __future__ import annotations

import inspect
import io
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from srdiff.errors import OptionError
from srdiff.photo.convert import photo_from, to_array
from srdiff.photo.read import count_frames, read_photo

from .pictures import SRGB, chunk, encoded, noise, png_bytes, png_head, read, refused, smooth

tifffile = pytest.importorskip("tifffile")  # writes the kinds of TIFF that Pillow cannot


def tiff(samples: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, **options)
    return stream.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("predictor", [None, True])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_16_bit_rgb_tiff_of_any_layout(order: str, compression: Any, tile: Any, predictor: Any, planar: str) -> None:
    if predictor and compression is None:
        pytest.skip("differences are taken of compressed samples only")
    samples = noise(3, dtype=np.uint16)
    stored = samples if planar == "contig" else samples.transpose(2, 0, 1)
    options: dict[str, Any] = {"photometric": "rgb", "planarconfig": planar, "byteorder": order, "tile": tile}
    try:
        data = tiff(np.ascontiguousarray(stored), compression=compression, predictor=predictor, **options)
        if predictor and not np.array_equal(tifffile.imread(io.BytesIO(data)), stored):
            pytest.skip("this tifffile does not read what it writes: big-endian differences, in 2021")
    except (ValueError, ImportError) as error:
        pytest.skip(f"tifffile does not write it here: {error}")
    photo = read(data)
    assert photo.pixels.dtype == np.uint16 and photo.alpha is None
    np.testing.assert_array_equal(to_array(photo), samples)


def test_lzw_of_16_bits_goes_through_libtiff() -> None:
    samples = noise(dtype=np.uint16)
    data = encoded(Image.fromarray(samples), "TIFF", compression="tiff_lzw")
    np.testing.assert_array_equal(to_array(read(data)), samples)


def test_white_is_zero_is_turned_round() -> None:
    samples = noise(dtype=np.uint16)
    np.testing.assert_array_equal(to_array(read(tiff(samples, photometric="miniswhite"))), 65535 - samples)


@pytest.mark.parametrize("channels", [2, 4])
def test_16_bit_alpha_straight_and_multiplied(channels: int) -> None:
    samples = noise(channels, dtype=np.uint16)
    photometric = "minisblack" if channels == 2 else "rgb"
    straight = read(tiff(samples, photometric=photometric, extrasamples=["unassalpha"], planarconfig="contig"))
    np.testing.assert_array_equal(to_array(straight), samples)
    alpha = samples[..., -1:]
    multiplied = np.rint(samples[..., :-1] / 65535 * alpha).astype(np.uint16)
    data = tiff(
        np.concatenate([multiplied, alpha], axis=2),
        photometric=photometric,
        extrasamples=["assocalpha"],
        planarconfig="contig",
    )
    back = to_array(read(data)).astype(int)
    # Rounding the product to a whole level costs half a level, which dividing makes 65535 / alpha times as large.
    bound = 0.5 * 65535 / np.maximum(alpha, 1) + 1
    assert (np.abs(back - samples)[..., :-1] <= bound)[alpha[..., 0] > 0].all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_rgb_is_read(dtype: Any) -> None:
    levels = noise(3, dtype=np.uint16)
    photo = read(tiff((levels / 65535).astype(dtype), photometric="rgb"))
    np.testing.assert_array_equal(to_array(photo), levels)


def test_floats_a_little_above_white_are_clipped_and_far_above_are_refused() -> None:
    levels = np.linspace(0, 1.1, 17 * 13).reshape(13, 17).astype(np.float32)
    expected = np.rint(np.clip(levels, 0, 1) * 65535.0)
    np.testing.assert_allclose(to_array(read(tiff(levels))), expected, atol=1)  # float32 rounds the halves
    assert "to 4" in refused(tiff(levels * np.float32(4 / 1.1)))
    assert to_array(photo_from(np.array([[0, 1.0000001]]))).tolist() == [[0, 65535]]


@pytest.mark.parametrize("dtype", [np.int16, np.uint64, np.complex64])
def test_other_kinds_of_tiff_are_named(dtype: Any) -> None:
    message = refused(tiff(np.ones((13, 17), dtype)))
    assert "kind of TIFF that is not read" in message and "damaged" not in message


def test_libtiff_says_nothing_of_its_own(tmp_path: Path) -> None:
    data = bytearray(encoded(Image.fromarray(noise(3)), "TIFF", compression="tiff_lzw"))
    data[100:500] = bytes(400)
    (tmp_path / "it.tif").write_bytes(data)
    code = "import sys; from srdiff.photo.read import read_photo; read_photo(sys.argv[1])"
    result = subprocess.run([sys.executable, "-c", code, tmp_path / "it.tif"], capture_output=True, check=False)
    lines = result.stderr.decode().splitlines()
    assert "it.tif is damaged" in lines[-1] and "Decode: " not in lines[0]
    assert lines[0].startswith("Traceback")


def test_a_short_strip_is_damage() -> None:
    data = tiff(noise(3, dtype=np.uint16), photometric="rgb")
    assert "cut short" in refused(data[:-20])


def pages(*subfiles: int) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for number, subfile in enumerate(subfiles):
            writer.write(np.full((8, 9 + number, 3), 40 * number, np.uint8), photometric="rgb", subfiletype=subfile)
    return stream.getvalue()


def test_thumbnails_are_no_pages() -> None:
    photo = read(pages(1, 0, 1, 0))
    assert photo.frames == 2 and photo.pixels.shape == (8, 10, 3) and (photo.pixels == 40).all()
    second = read(pages(1, 0, 1, 0), frame=1)
    assert second.pixels.shape == (8, 12, 3) and (second.pixels == 120).all()
    assert "thumbnails" in refused(pages(1, 1))


def test_raw_by_its_tag_whatever_its_name() -> None:
    data = tiff(smooth(), photometric="rgb", subfiletype=1, extratags=[(50706, 1, 4, b"\1\4\0\0", True)])
    assert "camera raw" in refused(data)


def test_metadata_of_a_deep_tiff() -> None:
    inch: dict[str, Any] = {"resolution": (300, 150), "resolutionunit": "inch"}
    if "resolutionunit" not in inspect.signature(tifffile.TiffWriter.write).parameters:  # as in 2021
        inch = {"resolution": (300, 150, "INCH")}
    tags = [(34675, 7, len(SRGB), SRGB, True), (274, 3, 1, 6, True), (700, 1, 8, b"<x:xmp/>", True)]
    samples = noise(3, dtype=np.uint16)
    photo = read(tiff(samples, photometric="rgb", extratags=tags, **inch))
    np.testing.assert_array_equal(to_array(photo), np.rot90(samples, -1))
    assert (photo.dpi, photo.icc_profile, photo.xmp) == ((300, 150), SRGB, b"<x:xmp/>")


def test_a_tiff_without_resolution_has_none() -> None:
    assert read(encoded(Image.fromarray(smooth()), "TIFF")).dpi is None


# Frames


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP"])
def test_frames_are_counted_and_read(format: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    (tmp_path / "it").write_bytes(encoded(frames[0], format, save_all=True, append_images=frames[1:]))
    assert count_frames(tmp_path / "it") == 3
    for number, frame in enumerate(frames):
        photo = read_photo(tmp_path / "it", frame=number)
        assert photo.frames == 3
        np.testing.assert_allclose(photo.pixels.astype(int), np.asarray(frame), atol=3)  # lossy WebP
    with pytest.raises(OptionError, match="3 frames"):
        read_photo(tmp_path / "it", frame=3)


# PNG


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_flipped_bit_of_a_png_is_refused(dtype: Any) -> None:
    data = png_bytes(noise(3, dtype=dtype))
    for position in range(8, len(data), 7):
        assert (
            "damaged" in refused(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :]) or position < 33
        )


def test_a_16_bit_png_inflates_to_its_own_size_and_no_further() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    data = png_head(1, 1, 16) + chunk(b"IDAT", bomb) + chunk(b"IEND", b"")
    tracemalloc.start()
    try:
        assert "1x1" in refused(data)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000  # of the 50 MB; a piece is 1 MB
    finally:
        tracemalloc.stop()


def test_text_and_gamma_arrive() -> None:
    data = png_bytes(noise(3))
    text = chunk(b"tEXt", b"Author\0me")
    gamma = chunk(b"gAMA", struct.pack(">I", 100_000))
    photo = read(data[:33] + gamma + text + data[33:])
    assert photo.text == (("Author", "me"),) and photo.gamma == 1.0
    cicp = read(data[:33] + gamma + chunk(b"cICP", b"\x09\x10\0\1") + data[33:])
    assert cicp.cicp == b"\x09\x10\0\1" and cicp.gamma is None
