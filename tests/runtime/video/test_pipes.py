"""Frames through standard input and output."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

pytest.importorskip("av")

import av

from srdiff.upscaler import Upscaler

from .command import STEPS
from .films import STEADY, UNSTEADY, content, film, made, samples, views


def _piped(*words: object, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "srdiff.commands.video", *map(str, STEPS), *map(str, words)]
    return subprocess.run(command, input=given, capture_output=True)


def _y4m(interlacing: str, frames: int) -> bytes:
    return f"YUV4MPEG2 W8 H8 F25:1 {interlacing} C420jpeg\n".encode() + frames * (b"FRAME\n" + bytes(96))


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
        (("-", "-"), _y4m("It", 0), b"standard input has no frame"),
        (("-", "-", "--start", 0.2, "--end", 0.3), _y4m("Ip", 9), b"standard input is taken whole"),
        ((source, "-", "--start", 0.01, "--end", 0.02), None, b"no frame in this part"),
        ((source, "-", "--crf", 3), None, b"leave them out"),
    ):
        result = _piped(*words, given=given)
        assert result.returncode == 2 and sentence in result.stderr and result.stderr.count(b"\n") == 1
        assert result.stdout == b""


def test_interlaced_frames_are_told_of_standard_input_too() -> None:
    assert b"standard input is interlaced" in _piped("-", "-", given=_y4m("It", 2)).stderr
    assert b"interlaced" not in _piped("-", "-", given=_y4m("Ip", 2)).stderr


def test_a_reader_that_leaves_is_named(tmp_path: Path) -> None:
    """After the head, too, when PyAV has the failure of the pipe and tells it as one of its own."""
    source = film(tmp_path / "in.mkv", tuple(3600 * number for number in range(40)), views(40, 96, 64), sound=None)
    command = [sys.executable, "-m", "srdiff.commands.video", *map(str, STEPS), str(source), "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(20000)
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 2
    assert b"keep the reading end of the pipe open" in said and said.count(b"\n") == 1
