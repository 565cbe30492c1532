"""What a film has is in the result."""

from __future__ import annotations

import os
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from click.testing import Result

pytest.importorskip("av")

import av

from srdiff.upscaler import Upscaler
from srdiff.video import enlarging
from srdiff.video.film import Film, Part

from .films import STEADY, UNSTEADY, content, film, left, lines, made, samples, views, with_subtitles


@pytest.mark.parametrize(
    ("name", "options", "result"),
    [
        ("in.mp4", {}, "out.mp4"),
        ("in.mp4", {"times": UNSTEADY, "rotation": 90, "tags": (1, 1, 1, 2)}, "out.mp4"),
        ("in.mp4", {"times": UNSTEADY, "chapter": True}, "out.mkv"),
        ("in.mkv", {"sound": "libopus", "tags": (6, 6, 6, 1)}, "out.mkv"),
        ("in.mkv", {"times": UNSTEADY}, "out.mp4"),
        ("in.mov", {"rotation": 180}, "out.mov"),
        ("in.webm", {"codec": "libvpx-vp9", "sound": "libopus"}, "out.webm"),
    ],
)
def test_what_a_film_has_is_in_the_result(
    name: str, options: Any, result: str, upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlarging, "PIECE", 5)
    source = film(tmp_path / name, **options)
    assert made(upscaler, source, tmp_path / result).unkept == []
    before, after = content(source), content(tmp_path / result)
    assert after.size == tuple(4 * side for side in before.size)
    tick = Fraction(1, 1000) if result.endswith(("mkv", "webm")) else Fraction(0)  # their clock
    assert len(after.times) == len(before.times)
    assert all(abs(then - now) <= tick / 2 for then, now in zip(before.times, after.times))
    assert len(set(after.decoding)) == len(after.decoding) and after.decoding == sorted(after.decoding)
    assert before.sound and after.sound == before.sound
    tick = max(tick, Fraction(1, 48000))
    assert all(abs(then - now) <= tick for then, now in zip(before.sound_times, after.sound_times))
    assert (after.tags, after.matrix) == (before.tags, before.matrix)
    assert after.metadata["title"] == "A window" and after.languages == before.languages
    assert after.chapters == before.chapters == int("chapter" in options)
    assert left(tmp_path) == []


def test_a_part_is_cut_with_its_sound(srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4")
    srdiff_video(source, tmp_path / "out.mp4", "--start", "0.1", "--end", "0:0.32")
    before, after = content(source), content(tmp_path / "out.mp4")
    start, end = Fraction(1, 10), Fraction(32, 100)
    assert after.times == [moment - start for moment in before.times if start <= moment < end]
    assert len(after.times) == 5
    inside = [data for data, moment in zip(before.sound, before.sound_times) if start <= moment < end]
    assert after.sound == inside


@pytest.mark.parametrize(
    "name", ["in.mp4", "in.mkv", "in.ts", "mpeg2.ts", "in.flv", "in.mpg", "in.nut", "in.h264", "in.y4m"]
)
@pytest.mark.parametrize("start", ["0.1", "0.55", "0.83", "1.21"])
def test_a_part_has_the_frames_of_the_whole(name: str, start: str, tmp_path: Path) -> None:
    """Of containers where seeking is exact, ends between key frames, or is not possible."""
    source = _of_many_groups(tmp_path / name)
    first, last = Fraction(start), Fraction(start) + Fraction(1, 2)
    with Film(source) as film:
        whole = [(shot.time * film.time_base - film.span[0], samples(shot.frame)) for shot in film.shots()]
    with Film(source, Part(first, last)) as film:
        part = [(shot.time * film.time_base, samples(shot.frame)) for shot in film.shots()]
    expected = [(moment - first, data) for moment, data in whole if first <= moment < last]
    assert len(part) == len(expected) >= 12
    tick = 2 * film.time_base
    assert all(abs(one[0] - other[0]) < tick and one[1] == other[1] for one, other in zip(part, expected))


def _of_many_groups(path: Path) -> Path:
    """50 frames without sound, a key frame for each 12."""
    codec = {"mpeg2.ts": "mpeg2video", "in.mpg": "mpeg2video", "in.flv": "flv1", "in.y4m": "wrapped_avframe"}
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec.get(path.name, "libx264"), rate=25)
        context = video.codec_context
        context.width, context.height, context.pix_fmt, context.gop_size = 48, 32, "yuv420p", 12
        for number, pixels in enumerate(views(50, 48, 32)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def test_subtitles_and_fonts_are_copied(upscaler: Upscaler, tmp_path: Path) -> None:
    source = with_subtitles(film(tmp_path / "plain.mp4"), tmp_path / "in.mkv")
    assert made(upscaler, source, tmp_path / "out.mkv").unkept == []
    assert lines(tmp_path / "out.mkv") == lines(source)
    assert [line[1:] for line in lines(source)] == [(150, b"one"), (150, b"two")]
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.subtitles[0].language == "fra"
        assert [stream.data for stream in container.streams if stream.type == "attachment"] == [b"no font"]


def test_an_existing_result_is_kept_and_the_input_never_a_target(
    srdiff_video: Callable[..., Result], tmp_path: Path
) -> None:
    source, target = film(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    whole = source.read_bytes()
    target.write_bytes(b"mine")
    assert "skipped" in srdiff_video(source, target).output and target.read_bytes() == b"mine"
    (tmp_path / "link.mp4").symlink_to(source)
    for same in (source, tmp_path / "link.mp4", tmp_path / "." / "in.mp4"):
        assert "is the input" in srdiff_video(source, same, "--overwrite", code=2).output
    srdiff_video(source, target, "--overwrite")
    assert source.read_bytes() == whole and len(content(target).times) == 12


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")
def test_names_need_not_be_utf8(srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xe4")
    folder.mkdir()
    source, target = folder / os.fsdecode(b"in\xe4.mp4"), folder / os.fsdecode(b"out\xe4.mp4")
    film(tmp_path / "in.mp4").rename(source)
    srdiff_video(source, target)
    with target.open("rb") as file, av.open(file) as container:
        assert len(list(container.decode(video=0))) == 12


def test_the_same_frame_is_made_once(upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    still = views(1) * 6
    source = film(tmp_path / "in.mkv", STEADY[:6], still, codec="ffv1", format="bgr0", tags=(2, 2, 2, 0), sound=None)
    calls = []
    real = upscaler.enlarge
    monkeypatch.setattr(upscaler, "enlarge", lambda *words: calls.append(1) or real(*words))
    made(upscaler, source, tmp_path / "out.mkv")
    assert len(calls) == 1 and len(content(tmp_path / "out.mkv").times) == 6


def test_the_size_may_be_less_than_the_models(srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4")
    srdiff_video(source, tmp_path / "out.mp4", "-s", 2)
    assert content(tmp_path / "out.mp4").size == (48, 32)


@pytest.mark.parametrize(
    ("codec", "name"),
    [("libx265", "out.mp4"), ("libvpx-vp9", "out.mkv"), ("libsvtav1", "out.mp4"), ("prores_ks", "out.mov")],
)
def test_other_codecs_keep_times_and_order_without_a_word(
    codec: str, name: str, upscaler: Upscaler, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(enlarging, "PIECE", 5)
    lighter = [np.full((16, 24, 3), 30 * number, np.uint8) for number in range(len(UNSTEADY))]
    source = film(tmp_path / "in.mp4", UNSTEADY, lighter)
    outcome = made(upscaler, source, tmp_path / name, codec=codec)
    before, after = content(source), content(tmp_path / name)
    assert outcome.coding.startswith(codec) and after.sound == before.sound
    assert all(abs(then - now) <= Fraction(1, 2000) for then, now in zip(before.times, after.times))
    expected = np.stack([upscaler.upscale(shown, steps=1) for shown in before.frames]).astype(int)
    nearest = [int(np.abs(expected - large).mean(axis=(1, 2, 3)).argmin()) for large in after.frames]
    assert nearest == list(range(len(UNSTEADY)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4", "out.webm"])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1", "ffv1"])
def test_the_pixel_aspect_is_kept_or_said(
    codec: str, name: str, srdiff_video: Callable[..., Result], tmp_path: Path
) -> None:
    if name == "out.webm" and codec not in ("libvpx-vp9", "libsvtav1"):
        pytest.skip("not in WebM")
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 24, 16, "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(16, 11)
        frame = av.VideoFrame.from_ndarray(views(1)[0], format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux([*video.encode(frame), *video.encode(None)])
    said = srdiff_video(tmp_path / "in.mp4", tmp_path / name, "--codec", codec).output
    with av.open(str(tmp_path / name)) as container:
        kept = container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)
    assert kept != ("not kept: pixel aspect 16:11" in said)
