"""What becomes of a frame's pixels: colours, depth, transparency."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from click.testing import Result

pytest.importorskip("av")

import av

from srdiff.errors import OptionError
from srdiff.photo.photo import Photo
from srdiff.upscaler import Upscaler
from srdiff.video.colours import Colours

from .films import STEADY, content, film, made, views


@pytest.mark.parametrize(("format", "level"), [("yuv444p", 1.5), ("bgr0", 0)])
def test_a_frame_is_what_the_photo_would_be(format: str, level: float, upscaler: Upscaler, tmp_path: Path) -> None:
    """In its place, with its colours: ffv1 loses nothing, 8-bit YUV up to two levels of RGB."""
    tags = (1, 1, 1, 1) if format == "yuv444p" else (2, 2, 2, 0)
    source = film(tmp_path / "in.mkv", codec="ffv1", format=format, tags=tags, sound=None)
    made(upscaler, source, tmp_path / "out.mkv", codec="ffv1")
    before, after = content(source), content(tmp_path / "out.mkv")
    assert len(after.frames) == len(STEADY)
    for shown, large in zip(before.frames, after.frames):
        assert np.abs(large - upscaler.upscale(shown, steps=1).astype(int)).mean() <= level


@pytest.mark.parametrize("format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("matrix", "red", "blue"), [(1, 0.2126, 0.0722), (6, 0.299, 0.114), (9, 0.2627, 0.0593)])
def test_colours_are_those_of_the_films_matrix_and_range(
    format: str, full: bool, matrix: int, red: float, blue: float
) -> None:
    """Against H.273's own formula, and back."""
    deep = format.endswith("10le")
    white, kind = (65535, np.uint16) if deep else (255, np.uint8)
    bars = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0], [0.8, 0.4, 0.2]])
    pixels = np.rint(np.repeat(bars, 8, axis=0)[None].repeat(32, axis=0) * white).astype(kind)
    colours = Colours(matrix, 2, 2, 2 if full else 1, deep, False)
    frame = colours.frame(Photo(pixels), format)
    luma = bars @ [red, 1 - red - blue, blue]
    step = 4 if deep else 1
    expected = luma * (1023 if deep else 255) if full else step * (16 + 219 * luma)
    rows = np.frombuffer(bytes(frame.planes[0]), kind).reshape(frame.height, -1)
    # swscale rounds more coarsely from 16 bits than from 8
    assert np.abs(rows[16, 4:48:8] - expected).max() <= (4 if deep else 0.51)
    back = colours.photo(frame).pixels[:, 4::8].astype(int)
    assert np.abs(back - pixels[:, 4::8]).max() <= 3 * white / 255


@pytest.mark.parametrize("matrix", range(15))
def test_a_matrix_that_is_not_read_is_refused(matrix: int, srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    """And not written as another."""
    source = film(tmp_path / "in.mkv", STEADY[:2], codec="ffv1", tags=(matrix, 1, 1, 1), sound=None)
    if matrix in (8, 11, 12, 13, 14):
        said = srdiff_video(source, tmp_path / "out.mkv", code=2).output
        assert f"in.mkv has H.273's colour matrix {matrix}, which is not read here; convert it" in said
    else:
        srdiff_video(source, tmp_path / "out.mkv")
        with av.open(str(tmp_path / "out.mkv")) as container:
            assert container.streams.video[0].colorspace == (6 if matrix in (0, 2, 3) else matrix)


def test_what_stands_still_stays_still(upscaler: Upscaler, tmp_path: Path) -> None:
    """Where the input is the same for long enough around, the result is, to the bit."""
    frames = [views(1, 64, 24)[0].copy() for _ in range(4)]
    for number, frame in enumerate(frames):
        frame[8:16, 2 + number : 8 + number] = 255
    source = film(tmp_path / "in.mkv", STEADY[:4], frames, codec="ffv1", format="bgr0", tags=(2, 2, 2, 0), sound=None)
    made(upscaler, source, tmp_path / "out.mkv", codec="ffv1")
    shown = content(tmp_path / "out.mkv").frames
    assert np.ptp(np.stack(shown), axis=0)[:, :48].max() > 0
    assert np.ptp(np.stack(shown), axis=0)[:, -48:].max() == 0


def test_transparency_is_kept_or_refused(upscaler: Upscaler, tmp_path: Path) -> None:
    frames = [np.dstack([view, np.full(view.shape[:2], 90, np.uint8)]) for view in views(3)]
    source = film(tmp_path / "in.mkv", STEADY[:3], frames, codec="ffv1", format="bgra", tags=(2, 2, 2, 0), sound=None)
    made(upscaler, source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        alpha = [frame.to_ndarray(format="rgba")[..., 3] for frame in container.decode(video=0)]
    assert len(alpha) == 3 and all((plane == 90).all() for plane in alpha)
    with pytest.raises(OptionError, match="transparency"):
        made(upscaler, source, tmp_path / "out2.mkv", codec="libx264")


def _of_palettes(path: Path, codec: str, alphas: tuple[int, ...]) -> Path:
    """One frame for each alpha, which one of its colours has."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 32, 16, "pal8"
        for number, alpha in enumerate(alphas):
            frame = av.VideoFrame(32, 16, "pal8")
            frame.planes[0].update(bytes(range(256)) * 2)
            colours = np.dstack([np.arange(256), np.full(256, 90), np.arange(256), np.full(256, 255)]).astype(np.uint8)[
                0
            ]
            colours[7, 3] = alpha
            frame.planes[1].update(colours.tobytes())
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


@pytest.mark.parametrize(("name", "codec"), [("in.avi", "rawvideo"), ("in.mov", "png")])
def test_a_palette_is_not_transparency(name: str, codec: str, upscaler: Upscaler, tmp_path: Path) -> None:
    source = _of_palettes(tmp_path / name, codec, (255, 255))
    assert made(upscaler, source, tmp_path / "out.mp4").coding.startswith("libx264")
    made(upscaler, source, tmp_path / "out.mkv", codec="ffv1")
    before, after = content(source), content(tmp_path / "out.mkv")
    assert len(after.frames) == 2
    assert np.array_equal(after.frames[0], upscaler.upscale(before.frames[0], steps=1))


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".webm"])
def test_transparency_is_named_where_no_codec_keeps_it(suffix: str, upscaler: Upscaler, tmp_path: Path) -> None:
    """In the second frame's palette alone; and the targets that the sentence names take it."""
    source = _of_palettes(tmp_path / "in.mov", "png", (255, 100))
    with pytest.raises(OptionError, match=r"has transparency, which .* give an \.mkv or \.mov"):
        made(upscaler, source, tmp_path / f"out{suffix}")
    for target in ("out.mkv", "out.mov"):
        made(upscaler, source, tmp_path / target)
        with av.open(str(tmp_path / target)) as container:
            least = [frame.to_ndarray(format="rgba")[..., 3].min() for frame in container.decode(video=0)]
        assert least[0] > 250 and least[1] < 150


def test_more_than_eight_bits_stay(upscaler: Upscaler, tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", STEADY[:3], codec="ffv1", format="yuv420p10le")
    assert "yuv420p10le" in made(upscaler, source, tmp_path / "out.mp4").coding


@pytest.mark.parametrize("format", ["yuv420p10le", "yuv422p12le", "gbrp12le"])
@pytest.mark.parametrize("target", ["out.mkv", "-"])
def test_bits_that_a_result_does_not_hold_are_said(
    target: str, format: str, srdiff_video: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srdiff.video.pipe.output_bytes", io.BytesIO)
    tags = (2, 2, 2, 0) if format.startswith("gbr") else (1, 1, 1, 1)
    source = film(tmp_path / "in.mkv", STEADY[:2], codec="ffv1", format=format, tags=tags, sound=None)
    words = ("-",) if target == "-" else (tmp_path / target, "--codec", "libx264")
    said = srdiff_video(source, *words).output
    assert (f"the depth of {format} (yuv4" in said) == ("12" in format)
