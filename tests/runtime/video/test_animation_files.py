"""Animations that nobody's camera writes: claims, large texts, 16 bits, very many pictures."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from srdiff.video.animation import read_animation

from ..pictures import SRGB, chunk
from .test_animation import animation, pictures, shown


def test_a_png_that_claims_more_pictures_than_it_holds_is_refused(
    srdiff_video: Callable[..., Result], tmp_path: Path
) -> None:
    data = animation(tmp_path / "a.png", pictures()).read_bytes()
    place = data.index(b"acTL") - 4
    claim = chunk(b"acTL", struct.pack(">II", 1_000_000, 0))
    (tmp_path / "a.png").write_bytes(data[:place] + claim + data[place + 20 :])
    said = srdiff_video(tmp_path / "a.png", tmp_path / "b.png", code=2).output
    assert "says that it has 1000000 pictures and holds 4; give a complete file" in said


def test_large_texts_and_profiles_of_an_animated_png(srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    """Read, but not written where readers refuse them."""
    data = animation(tmp_path / "a.png", pictures()[:2]).read_bytes()
    text = chunk(b"zTXt", b"Author\0\0" + zlib.compress(bytes(1_500_000)))
    profile = chunk(b"iCCP", b"it\0\0" + zlib.compress(SRGB + bytes(1_500_000)))
    (tmp_path / "a.png").write_bytes(data[:33] + text + profile + data[33:])
    assert "ICC profile" in srdiff_video(tmp_path / "a.png", tmp_path / "b.png").output
    assert "ICC profile" not in srdiff_video(tmp_path / "a.png", tmp_path / "b.webp").output
    with Image.open(tmp_path / "b.webp") as image:
        assert len(image.info["icc_profile"]) == len(SRGB) + 1_500_000
    assert "icc_profile" not in Image.open(tmp_path / "b.png").info
    assert len(shown(tmp_path / "b.png")[0]) == 2


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (6, 4)])
def test_sixteen_bits_are_rounded_to_eight_and_said(
    colour_type: int, channels: int, srdiff_video: Callable[..., Result], tmp_path: Path
) -> None:
    """Grey is rounded; of the others Pillow gives the upper bytes."""
    samples = np.random.default_rng(0).integers(0, 1 << 16, (2, 16, 24, channels)).astype(">u2")
    samples[..., 3:] = 65535
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 24, 16, 16, colour_type, 0, 0, 0))
    data += chunk(b"acTL", struct.pack(">II", 2, 0))
    for number, picture in enumerate(samples):
        rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in picture))
        data += chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 24, 16, 0, 0, 1, 25, 0, 0))
        data += chunk(b"fdAT", struct.pack(">I", 2) + rows) if number else chunk(b"IDAT", rows)
    (tmp_path / "a.png").write_bytes(data + chunk(b"IEND", b""))
    photos = read_animation(tmp_path / "a.png", 10_000).photos
    assert len(photos) == 2
    for photo, picture in zip(photos, samples.astype(float)):
        assert np.abs(photo.pixels - picture[..., :3] / 257).max() <= (0.5 if channels == 1 else 1)
    assert "16 bits (8 are)" in srdiff_video(tmp_path / "a.png", tmp_path / "b.png").output


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_very_many_pictures_are_refused_before_they_are_read(
    suffix: str, srdiff_video: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small they are."""
    dots = [Image.new("RGB", (1, 1), (number % 256, number // 256, 0)) for number in range(5)]
    source = animation(tmp_path / f"a{suffix}", dots, duration=40)
    monkeypatch.setattr("srdiff.video.animation._MOST", 5)
    srdiff_video(source, tmp_path / f"b{suffix}")
    monkeypatch.setattr("srdiff.video.animation._MOST", 4)
    monkeypatch.setattr("srdiff.video.animation._photo", None)
    said = srdiff_video(source, tmp_path / f"c{suffix}", code=2).output
    assert "has 5 pictures and an animation ends at 4; give it as a film" in said
