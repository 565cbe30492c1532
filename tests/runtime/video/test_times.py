"""Frames of which the container does not say when they are shown, or says it wrongly."""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("av")

import av

from srdiff.errors import ImageError
from srdiff.video import enlarging
from srdiff.video.film import Film
from srdiff.video.times import moment, timed

from .films import content, samples, views


@dataclass(frozen=True)
class _Frame:
    pts: int | None


def _coded(path: Path, count: int = 20, size: tuple[int, int] = (48, 32), begin: int = 0) -> Path:
    """In H.264 with frames that refer to later ones."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        for number, pixels in enumerate(views(count, *size), begin):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


@given(st.sets(st.integers(0, 1000), min_size=1), st.integers(1, 16), st.booleans(), st.randoms())
def test_frames_in_avi_get_the_times_of_the_packets_in_their_order(
    moments: set[int], most: int, damaged: bool, chance: random.Random
) -> None:
    times = sorted(moments)
    for start in range(0, len(times), most):  # none further from its place than a decoder holds back
        block = times[start : start + most]
        chance.shuffle(block)
        times[start : start + most] = block
    frames = [_Frame(time) for time in times]

    def decoded() -> Iterator[Any]:
        yield from frames
        if damaged:
            raise ImageError("damaged")

    for container, expected in (("avi", sorted(times)), ("matroska,webm", times)):
        got = []
        try:
            for pair in timed(decoded(), 1, container):
                got.append(pair)
            assert not damaged
        except ImageError:
            assert damaged
        assert got == list(zip(frames, expected))


def test_frames_without_times_follow_the_one_before() -> None:
    frames = [_Frame(pts) for pts in (None, None, 50, None)]
    assert [time for _, time in timed(frames, 4, "h264")] == [0, 4, 50, 54]


@given(st.fractions(0, 10**6))
def test_a_film_that_ends_at_a_moment_ends_before_what_comes_after(seconds: Fraction) -> None:
    assert seconds - Fraction(1, 50) < Fraction(moment(seconds)) <= seconds


def test_no_frame_of_an_avi_is_lost(srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    """In which packets have the times of decoding."""
    source = _coded(tmp_path / "in.avi")
    with av.open(str(source)) as container:
        decoded = [samples(frame) for frame in container.decode(video=0)]
    with Film(source) as film:
        shots = [(samples(shot.frame), shot.time * film.time_base) for shot in film.shots()]
    assert [planes for planes, _ in shots] == decoded and len(decoded) == 20
    assert [time - shots[0][1] for _, time in shots] == [Fraction(number, 24) for number in range(20)]
    assert "not kept" not in srdiff_video(source, tmp_path / "out.mkv").output


@pytest.mark.parametrize("words", [("out.mkv",), ("-",)])
def test_frames_of_a_joined_film_are_not_left_out_without_a_word(
    words: Any, srdiff_video: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few are counted; where all that follows would be, the film can be ended there."""
    monkeypatch.setattr("srdiff.video.pipe.output_bytes", lambda: (tmp_path / "out.y4m").open("wb"))
    monkeypatch.setattr(enlarging, "PIECE", 12)
    target = "-" if words == ("-",) else tmp_path / words[0]
    joined = tmp_path / "in.ts"
    joined.write_bytes(2 * _coded(tmp_path / "short.ts").read_bytes())
    assert "20 frames whose times are not after those before them" in srdiff_video(joined, target).output
    joined.write_bytes(2 * _coded(tmp_path / "long.ts", 30).read_bytes())
    said = srdiff_video(joined, target, "--overwrite", code=2).output
    assert "goes back in time after 1.20 s" in said
    assert "not kept: 20 frames" not in srdiff_video(joined, target, "--end", "1.20", "--overwrite").output
    made = content(tmp_path / ("out.y4m" if target == "-" else "out.mkv"))
    assert len(made.times) == 29


def test_a_film_of_two_sizes_can_be_ended_before_the_second(
    srdiff_video: Callable[..., Result], tmp_path: Path
) -> None:
    parts = [_coded(tmp_path / "a.ts", 6), _coded(tmp_path / "b.ts", 6, (24, 16), begin=6)]
    (tmp_path / "in.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    said = srdiff_video(tmp_path / "in.ts", tmp_path / "out.mkv", code=2).output
    assert "changes from 48x32 yuv420p to 24x16 yuv420p after 0.20 s; end it there" in said
    srdiff_video(tmp_path / "in.ts", tmp_path / "out.mkv", "--end", "0.20")
    assert content(tmp_path / "out.mkv").size == (192, 128)
