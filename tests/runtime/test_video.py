"""``srdiff-video``: what a film has is in the result; a run that was killed goes on; what cannot be is one sentence."""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):  # before onnx: they disagree on protobuf
    import mindspore  # noqa: F401

import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("av")

import av

import srdiff.commands.video as video_command
from srdiff.doctor.golden import GOLDEN
from srdiff.errors import OptionError, OutputError
from srdiff.jobs.work import JobSettings
from srdiff.photo.photo import Photo
from srdiff.samplers import Sampler
from srdiff.upscaler import Upscaler
from srdiff.video import enlarging
from srdiff.video.coding import Wishes
from srdiff.video.colours import Colours
from srdiff.video.film import Part
from srdiff.video.pieces import Pieces

from .films import STEADY, UNSTEADY, content, film, lines, samples, views, with_subtitles

BUNDLE = GOLDEN / "golden.srdiff"
ENGINE = ("--engine", "onnxruntime", "--device", "cpu")
STEPS = ("--model", BUNDLE, "--steps", 1, *ENGINE)
SETTINGS = JobSettings(sampler=Sampler(steps=1))


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler.from_bundle(BUNDLE, engine="onnxruntime", device="cpu")


@pytest.fixture
def srdiff_video(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command with an engine that is open already."""
    monkeypatch.setattr("srdiff.commands.video.Upscaler.from_bundle", lambda *_: upscaler)

    def run(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(video_command.main, [*map(str, STEPS), *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result

    return run


def made(upscaler: Upscaler, source: Path, target: Path, tell: Any = lambda *_: None, **wishes: Any) -> enlarging.Made:
    return enlarging.enlarge_film(source, target, upscaler, SETTINGS, Part(), Wishes(**wishes), tell)


def left(folder: Path) -> list[str]:
    """Hidden files, which no finished run leaves."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


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


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    suffix: str, upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlarging, "PIECE", 4)
    source = film(tmp_path / "in.mp4")
    made(upscaler, source, tmp_path / f"whole{suffix}")
    target = tmp_path / f"out{suffix}"
    begun = []
    for stop in (2, 6, 9):

        def tell(done: float, kept: int, total: int | None, stop: int = stop) -> None:
            assert total == len(STEADY)
            begun.append(kept)
            if done >= stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            made(upscaler, source, target, tell)
        assert not target.exists()
    assert max(begun) == 4
    outcome = made(upscaler, source, target)
    assert (outcome.frames, outcome.kept) == (12, 8)
    assert target.read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()
    assert left(tmp_path) == []


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", tuple(3600 * number for number in range(72)))
    words = [*map(str, STEPS), str(source)]

    def start(target: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "srdiff.commands.video", *words, str(tmp_path / target)])

    assert start("whole.mp4").wait(300) == 0
    kills = 0
    while not (tmp_path / "out.mp4").exists():
        process = start("out.mp4")
        had, until = len(list(tmp_path.glob(".srdiff-film-*/*.piece"))), time.monotonic() + 120
        while process.poll() is None and time.monotonic() < until:
            if kills < 2 and len(list(tmp_path.glob(".srdiff-film-*/*.piece"))) > had:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        process.wait(120)
    assert kills == 2
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
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


def test_subtitles_and_fonts_are_copied(upscaler: Upscaler, tmp_path: Path) -> None:
    source = with_subtitles(film(tmp_path / "plain.mp4"), tmp_path / "in.mkv")
    assert made(upscaler, source, tmp_path / "out.mkv").unkept == []
    assert lines(tmp_path / "out.mkv") == lines(source)
    assert [line[1:] for line in lines(source)] == [(150, b"one"), (150, b"two")]
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.subtitles[0].language == "fra"
        assert [stream.data for stream in container.streams if stream.type == "attachment"] == [b"no font"]


def test_an_end_may_come_earlier_once_a_run_was_stopped(
    upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlarging, "PIECE", 4)
    source, target = film(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    part = Part(end=Fraction(25, 100))
    whole = enlarging.enlarge_film(source, tmp_path / "whole.mkv", upscaler, SETTINGS, part, Wishes(), lambda *_: None)

    def stop(done: float, *_: object) -> None:
        if done >= 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(upscaler, source, target, stop)
    again = enlarging.enlarge_film(source, target, upscaler, SETTINGS, part, Wishes(), lambda *_: None)
    assert (whole.frames, again.frames, again.kept) == (7, 7, 4)
    assert target.read_bytes() == (tmp_path / "whole.mkv").read_bytes()


def test_pieces_of_other_settings_are_not_taken_nor_dropped_unasked(
    srdiff_video: Callable[..., Result], upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlarging, "PIECE", 4)
    source, target = film(tmp_path / "in.mp4"), tmp_path / "out.mp4"

    def stop(done: float, *_: object) -> None:
        if done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(upscaler, source, target, stop)
    pieces = list(tmp_path.glob(".srdiff-film-*/*.piece"))
    assert len(pieces) == 1
    result = srdiff_video(source, target, "--seed", 3, code=2)
    assert "seed 0 for 3" in result.output and pieces[0].exists() and not target.exists()
    srdiff_video(source, target, "--seed", 3, "--overwrite")
    srdiff_video(source, tmp_path / "whole.mp4", "--seed", 3)
    assert target.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_one_process_makes_a_film(tmp_path: Path) -> None:
    with Pieces(tmp_path / "out.mp4", {}, False) as pieces:
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        mark = next(pieces.folder.glob(".srdiff-*"))
        theirs = mark.with_name(mark.name.replace(f"-{os.getpid()}-", f"-{other.pid}-"))
        theirs.touch()
        with pytest.raises(OutputError, match="another process"), Pieces(tmp_path / "out.mp4", {}, False):
            pass
        other.communicate(b"\n")
        with Pieces(tmp_path / "other.mp4", {}, False):
            pass
    with Pieces(tmp_path / "out.mp4", {}, False):  # that process is gone
        pass
    assert left(tmp_path) == []


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


def test_the_same_frame_is_made_once(upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    still = views(1) * 6
    source = film(tmp_path / "in.mkv", STEADY[:6], still, codec="ffv1", format="bgr0", tags=(2, 2, 2, 0), sound=None)
    calls = []
    real = upscaler.enlarge
    monkeypatch.setattr(upscaler, "enlarge", lambda *words: calls.append(1) or real(*words))
    made(upscaler, source, tmp_path / "out.mkv")
    assert len(calls) == 1 and len(content(tmp_path / "out.mkv").times) == 6


def _garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def _cut(path: Path) -> None:
    path.write_bytes(film(path).read_bytes()[:1500])


def _unknown_codec(path: Path) -> None:
    path.write_bytes(film(path).read_bytes().replace(b"avc1", b"zzzz"))


def _playlist(path: Path) -> None:
    inner = film(path.with_name("inner.ts"))
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{inner}\n#EXT-X-ENDLIST\n")


def _concat(path: Path) -> None:
    path.write_text(f"ffconcat version 1.0\nfile {film(path.with_name('inner.mp4'))}\n")


def _sound_alone(path: Path) -> None:
    source = film(path.with_name("both.mkv"))
    with av.open(str(source)) as container, av.open(str(path), "w", format="matroska") as alone:
        stream = alone.add_stream_from_template(container.streams.audio[0])
        for packet in container.demux(container.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                alone.mux(packet)


@pytest.mark.parametrize(
    "spoil", [_garbage, _cut, _unknown_codec, _playlist, _concat, _sound_alone, Path.touch, Path.mkdir, lambda _: None]
)
def test_what_is_no_film_is_one_sentence(spoil: Any, srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    spoil(tmp_path / "in.mp4")
    result = srdiff_video(tmp_path / "in.mp4", tmp_path / "out.mp4", code=2)
    assert result.output.startswith("Error: ") and "in.mp4" in result.output and result.output.count("\n") == 1
    assert not (tmp_path / "out.mp4").exists() and left(tmp_path) == []


def test_a_film_that_is_damaged_in_the_middle_can_be_ended_before(
    srdiff_video: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlarging, "PIECE", 4)
    source = film(tmp_path / "in.mov", codec="png", format="rgb24", tags=(2, 2, 2, 0), sound=None)
    data = source.read_bytes()
    parts = data.split(b"\x89PNG")
    source.write_bytes(b"\x89PNG".join(parts[:10]) + b"...." + b"\x89PNG".join(parts[10:]))
    result = srdiff_video(source, tmp_path / "out.mkv", code=2)
    sentence = result.output.splitlines()[-1]
    assert "damaged after" in sentence and "end it there" in sentence
    seconds = sentence.partition("after ")[2].split()[0]
    result = srdiff_video(source, tmp_path / "out.mkv", "--end", seconds)
    assert "frames were there from an earlier run" in result.output
    assert len(content(tmp_path / "out.mkv").times) >= 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("out.avi",), "no suffix of a film"),
        (("out.mp4", "--codec", "nonsense"), "no encoder here"),
        (("out.mp4", "--codec", "aac"), "codes no frames"),
        (("out.mkv", "--codec", "ffv1", "--crf", 3), "has no crf"),
        (("out.webm",), "cannot hold stream 1"),
        (("out.webm", "--codec", "libx264"), "cannot be written"),
        (("out.mp4", "--size", "31x32"), "even sides"),
        (("out.mp4", "--size", "400x400"), "give less"),
        (("out.mp4", "--max-pixels", 100), "--max-pixels"),
        (("out.mp4", "--start", 1), "no frame in this part"),
        (("out.mp4", "--start", 0.2, "--end", 0.1), "is not after"),
        (("out.mp4", "--device", "ascend:0,1"), "is made on one"),
        (("x" * 300 + ".mp4",), "cannot be written"),
    ],
)
def test_a_refusal_is_one_sentence(
    words: Any, sentence: str, srdiff_video: Callable[..., Result], tmp_path: Path
) -> None:
    source = film(tmp_path / "in.mp4")
    result = srdiff_video(source, tmp_path / words[0], *words[1:], code=2)
    assert sentence in result.output and result.output.startswith("Error: ") and result.output.count("\n") == 1
    assert left(tmp_path) == []


def test_the_size_may_be_less_than_the_models(srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4")
    srdiff_video(source, tmp_path / "out.mp4", "-s", 2)
    assert content(tmp_path / "out.mp4").size == (48, 32)


def test_transparency_is_kept_or_refused(upscaler: Upscaler, tmp_path: Path) -> None:
    frames = [np.dstack([view, np.full(view.shape[:2], 90, np.uint8)]) for view in views(3)]
    source = film(tmp_path / "in.mkv", STEADY[:3], frames, codec="ffv1", format="bgra", tags=(2, 2, 2, 0), sound=None)
    made(upscaler, source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        alpha = [frame.to_ndarray(format="rgba")[..., 3] for frame in container.decode(video=0)]
    assert len(alpha) == 3 and all((plane == 90).all() for plane in alpha)
    with pytest.raises(OptionError, match="transparency"):
        made(upscaler, source, tmp_path / "out2.mkv", codec="libx264")


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


def test_more_than_eight_bits_stay(upscaler: Upscaler, tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", STEADY[:3], codec="ffv1", format="yuv420p10le")
    assert "yuv420p10le" in made(upscaler, source, tmp_path / "out.mp4").coding


def _piped(*words: object, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "srdiff.commands.video", *map(str, STEPS), *map(str, words)]
    return subprocess.run(command, input=given, capture_output=True)


@pytest.mark.parametrize("format", ["yuv420p", "yuv422p10le"])
def test_frames_go_through_pipes(format: str, upscaler: Upscaler, tmp_path: Path) -> None:
    """From a film to standard output; and from there through standard input, to twice the size."""
    source = film(tmp_path / "in.mkv", STEADY[:4], codec="ffv1", format=format, tags=(1, 1, 1, 2))
    once = _piped(source, "-")
    assert once.returncode == 0, once.stderr
    assert b"standard output: 96x64, 4 frames" in once.stderr and b"stream 1 (audio)" in once.stderr
    (tmp_path / "once.y4m").write_bytes(once.stdout)
    after = content(tmp_path / "once.y4m")
    assert after.size == (96, 64) and after.times == [Fraction(number, 25) for number in range(4)]
    assert after.tags[3] == 2
    made(upscaler, source, tmp_path / "out.mkv", codec="ffv1")
    with av.open(str(tmp_path / "out.mkv")) as whole, av.open(str(tmp_path / "once.y4m")) as piped:
        for expected, got in zip(whole.decode(video=0), piped.decode(video=0)):
            assert got.format.name == expected.format.name == format
            assert samples(got) == samples(expected)
    twice = _piped("-", "-", "-s", 2, given=once.stdout)
    assert twice.returncode == 0, twice.stderr
    (tmp_path / "twice.y4m").write_bytes(twice.stdout)
    assert content(tmp_path / "twice.y4m").size == (192, 128)


def test_a_pipe_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", UNSTEADY, sound=None)
    assert b"frame times" in _piped(source, "-").stderr
    for words, given, sentence in (
        (("-", "out.mp4"), b"", b"give - as OUTPUT"),
        (("-", "-"), b"no frames", b"standard input is no film"),
        (("-", "-"), b"YUV4MPEG2 W100000 H100000 F25:1 C420jpeg\nFRAME\n", b"standard input"),
        (("-", "-", "--max-pixels", 100), b"YUV4MPEG2 W32 H32 F25:1 C420jpeg\nFRAME\n" + bytes(1536), b"max-pixels"),
        ((source, "-", "--crf", 3), None, b"leave them out"),
    ):
        result = _piped(*words, given=given)
        assert result.returncode == 2 and sentence in result.stderr and result.stderr.count(b"\n") == 1
        assert result.stdout == b""


def test_without_av_a_sentence_names_the_extra(tmp_path: Path) -> None:
    shutil.copytree(str(Path(video_command.__file__).parents[1]), str(tmp_path / "srdiff"))
    (tmp_path / "av.py").write_text("raise ModuleNotFoundError('no av', name='av')")
    words = [sys.executable, "-m", "srdiff.commands.video", "in.mp4", "out.mp4"]
    result = subprocess.run(
        words, env={**os.environ, "PYTHONPATH": str(tmp_path)}, stderr=subprocess.PIPE, cwd=str(tmp_path)
    )
    assert result.returncode == 2
    assert b"need av" in result.stderr and b"srdiff[video]" in result.stderr and result.stderr.count(b"\n") == 1
