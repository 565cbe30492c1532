"""What is no film, and what a film cannot become, is one sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from click.testing import Result

pytest.importorskip("av")

import av

import srdiff.commands.video as video_command
from srdiff.video import enlarging

from .films import content, film, left


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


@pytest.mark.parametrize(("length", "place"), [(3600, 10), (3750, 7)])
def test_a_film_that_is_damaged_in_the_middle_can_be_ended_before(
    length: int, place: int, srdiff_video: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not its frames begin at hundredths of a second."""
    monkeypatch.setattr(enlarging, "PIECE", 4)
    times = [length * number for number in range(12)]
    source = film(tmp_path / "in.mov", times, codec="png", format="rgb24", tags=(2, 2, 2, 0), sound=None)
    data = source.read_bytes()
    parts = data.split(b"\x89PNG")
    source.write_bytes(b"\x89PNG".join(parts[:place]) + b"...." + b"\x89PNG".join(parts[place:]))
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
        (("out.mp4", "--size", "64x48", "--codec", "libx265"), "64x48 and libx265 is not trusted with 64 columns"),
        (("out.mp4", "--size", "400x400"), "give less"),
        (("out.mp4", "--max-pixels", 100), "--max-pixels"),
        (("out.mp4", "--start", 1), "no frame in this part"),
        (("new/deeper/out.mp4", "--start", 1), "no frame in this part"),
        (("out.mp4", "--start", 0.21, "--end", 0.23), "no frame in this part"),
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
    assert left(tmp_path) == [] and not (tmp_path / "new").exists()


def test_what_a_muxer_refuses_names_the_target(
    srdiff_video: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise ValueError("no such packet")

    monkeypatch.setattr(enlarging.muxing, "_timed", refuse)
    result = srdiff_video(film(tmp_path / "in.mp4"), tmp_path / "out.mp4", code=2)
    assert f"{tmp_path / 'out.mp4'} cannot be written (no such packet)" in result.output


def test_without_av_a_sentence_names_the_extra(tmp_path: Path) -> None:
    shutil.copytree(str(Path(video_command.__file__).parents[1]), str(tmp_path / "srdiff"))
    (tmp_path / "av.py").write_text("raise ModuleNotFoundError('no av', name='av')")
    words = [sys.executable, "-m", "srdiff.commands.video", "in.mp4", "out.mp4"]
    result = subprocess.run(
        words, env={**os.environ, "PYTHONPATH": str(tmp_path)}, stderr=subprocess.PIPE, cwd=str(tmp_path)
    )
    assert result.returncode == 2
    assert b"need av" in result.stderr and b"srdiff[video]" in result.stderr and result.stderr.count(b"\n") == 1
