"""Profiles and texts beyond what Pillow takes: read where a file has them, and written only where readers take them.

Large values are compared within bool(): explaining how they differ would take pytest for ever.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from srdiff.photo.convert import to_array
from srdiff.photo.jpeg_file import MAX_PROFILE
from srdiff.photo.photo import Photo
from srdiff.photo.png_output import MAX_PACKED, MAX_TEXTS
from srdiff.photo.read import count_frames, read_photo
from srdiff.photo.unkept import unkept
from srdiff.photo.write import write_photo

from .kept_table import raw_profile
from .pictures import SRGB, chunk, encoded, exif_with, noise, png_bytes, read, smooth

LARGE = 1_500_000


def profile(size: int) -> bytes:
    """sRGB with that many bytes that nobody looks at."""
    return SRGB + bytes(size - len(SRGB))


def packed(kind: bytes, keyword: bytes, words: bytes) -> bytes:
    heads = {b"zTXt": b"\0\0", b"iTXt": b"\0\1\0\0\0", b"iCCP": b"\0\0"}
    return chunk(kind, keyword + heads[kind] + zlib.compress(words))


def with_chunks(samples: np.ndarray, *chunks: bytes) -> bytes:
    data = png_bytes(samples)
    return data[:33] + b"".join(chunks) + data[33:]


def written(photo: Photo, format: str) -> bytes:
    stream = io.BytesIO()
    write_photo(photo, stream, format)
    return stream.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("interlace", [False, True])
def test_whole_files_with_large_texts_and_profiles_are_read(dtype: Any, interlace: bool) -> None:
    samples = noise(4, dtype=dtype)
    plain = png_bytes(samples, interlace=interlace)
    xmp = b"<x:xmpmeta/>" + b" " * LARGE
    chunks = [
        packed(b"iCCP", b"it", profile(LARGE)),
        packed(b"iTXt", b"XML:com.adobe.xmp", xmp),
        packed(b"zTXt", b"Author", b"m" * LARGE),
        chunk(b"eXIf", exif_with(_0112=6)[6:]),
    ]
    data = plain[:33] + b"".join(chunks) + plain[33:-12] + chunk(b"tEXt", b"Late\0yes") + plain[-12:]
    photo, bare = read(data), read(plain)
    np.testing.assert_array_equal(to_array(photo), np.rot90(to_array(bare), -1))
    assert bool(photo.icc_profile == profile(LARGE)) and bool(photo.xmp == xmp) and photo.lost == ()
    assert bool(photo.text == (("Author", "m" * LARGE), ("Late", "yes")))


def test_orientation_and_exif_among_large_texts_are_still_found() -> None:
    exif = exif_with(_0112=6)
    large = packed(b"zTXt", b"Author", b"m" * LARGE)
    samples = noise(3)
    kind, data = raw_profile("exif", exif)
    by_text = read(with_chunks(samples, large, chunk(kind, data)))
    assert by_text.exif is not None and by_text.pixels.shape == (17, 13, 3)
    turn = b'<rdf:Description tiff:Orientation="6"/>'
    by_xmp = read(with_chunks(samples, large, packed(b"iTXt", b"XML:com.adobe.xmp", turn)))
    alone = read(with_chunks(samples, packed(b"iTXt", b"XML:com.adobe.xmp", turn)))
    np.testing.assert_array_equal(by_xmp.pixels, alone.pixels)
    assert by_xmp.xmp == alone.xmp


def test_frames_among_large_texts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    (tmp_path / "it.png").write_bytes(data[:33] + packed(b"zTXt", b"Author", b"m" * LARGE) + data[33:])
    assert count_frames(tmp_path / "it.png") == 3
    for number, frame in enumerate(frames):
        photo = read_photo(tmp_path / "it.png", frame=number)
        np.testing.assert_array_equal(photo.pixels, np.asarray(frame))
        assert photo.frames == 3 and len(photo.text[0][1]) == LARGE


@pytest.mark.parametrize("size", [MAX_PACKED, MAX_PACKED + 1])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_profile_that_readers_of_png_refuse_is_not_written(size: int, dtype: Any) -> None:
    photo = Photo(smooth().astype(dtype), icc_profile=profile(size))
    data = written(photo, "png")
    fits = size == MAX_PACKED
    assert (read(data).icc_profile == photo.icc_profile) == fits
    assert unkept(photo, "png") == ([] if fits else [f"ICC profile ({size} bytes, more than readers take)"])
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert (image.info.get("icc_profile") == photo.icc_profile) == fits
    for format in ("jpg", "webp", "tiff"):
        eight = Photo(smooth(), icc_profile=profile(size))
        assert bool(read(written(eight, format)).icc_profile == eight.icc_profile) and unkept(eight, format) == []


@pytest.mark.parametrize("size", [MAX_PROFILE, MAX_PROFILE + 1])
def test_a_profile_at_the_end_of_what_jpeg_can_count(size: int) -> None:
    photo = Photo(smooth(), icc_profile=profile(size))
    back = read(written(photo, "jpg"))
    assert (back.icc_profile == photo.icc_profile) == (unkept(photo, "jpg") == []) == (size == MAX_PROFILE)


def test_large_iptc_is_opened_by_others() -> None:
    photo = Photo(smooth(), iptc=b"\x1c\x02\x05\0\5Title" * 100_000)
    data = written(photo, "png")
    assert bool(read(data).iptc == photo.iptc) and unkept(photo, "png") == []
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert "Raw profile type iptc" in image.info


def test_texts_beyond_what_readers_take_together_are_left_out_and_said() -> None:
    half = MAX_TEXTS // 2
    photo = Photo(smooth(), xmp=b"x" * half, text=(("A", "a" * (half - 4)), ("B", "b" * half), ("C", "c")))
    assert unkept(photo, "png") == ["text (B)"]
    data = written(photo, "png")
    back = read(data)
    assert bool(back.xmp == photo.xmp) and bool(back.text == (photo.text[0], photo.text[2]))
    with Image.open(io.BytesIO(data)) as image:
        image.load()
    alone = Photo(smooth(), iptc=b"i" * half)
    assert unkept(alone, "png") == [f"IPTC ({half} bytes, more than readers take)"]
    assert read(written(alone, "png")).iptc is None
