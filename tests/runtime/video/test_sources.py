"""Files that change while a film is made of them, pipes, and what is damaged in them."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
from click.testing import Result

pytest.importorskip("av")

import av

from srdiff.errors import ImageError
from srdiff.upscaler import Upscaler
from srdiff.video import enlarging
from srdiff.video.film import Part
from srdiff.video.pipe import enlarge_to_pipe

from .films import SETTINGS, STEADY, film, left, made, views


def _renamed(source: Path, other: Path) -> None:
    shutil.copy(str(other), f"{source}.new")
    Path(f"{source}.new").replace(source)


def _written(source: Path, other: Path) -> None:
    source.write_bytes(other.read_bytes())


def _grown(source: Path, other: Path) -> None:
    with source.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize("change", [_renamed, _written, _grown])
@pytest.mark.parametrize("at", [0.5, 5, len(STEADY)])
def test_a_film_that_changes_meanwhile_is_refused_and_no_piece_is_of_two(
    at: float, change: Any, upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlarging, "PIECE", 4)
    source, target = film(tmp_path / "in.mp4"), tmp_path / "out.mkv"
    other = film(tmp_path / "other.mp4", frames=views(len(STEADY), step=5))
    shutil.copy(str(source), str(tmp_path / "once.mp4"))
    made(upscaler, source, tmp_path / "whole.mkv")
    moments = []

    def tell(done: float, *_: object) -> None:
        if done >= at and not moments:
            moments.append(done)
            change(source, other)

    with pytest.raises(ImageError, match=r"in\.mp4 changed while it was read; run the same again"):
        made(upscaler, source, target, tell)
    assert not target.exists()
    _written(source, tmp_path / "once.mp4")
    made(upscaler, source, target)
    assert target.read_bytes() == (tmp_path / "whole.mkv").read_bytes() and left(tmp_path) == []


def test_a_film_that_changes_on_its_way_to_a_pipe_is_refused(
    upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srdiff.video.pipe.output_bytes", io.BytesIO)
    source = film(tmp_path / "in.mkv")
    with pytest.raises(ImageError, match=r"in\.mkv changed while it was read"):
        enlarge_to_pipe(source, upscaler, SETTINGS, Part(), lambda *_: _grown(source, source))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("words", [("in.mkv", "out.mkv"), ("in.mkv", "-"), ("in.gif", "out.gif")])
def test_a_pipe_with_a_name_is_refused_and_not_waited_for(
    words: tuple[str, str], srdiff_video: Callable[..., Result], tmp_path: Path
) -> None:
    os.mkfifo(str(tmp_path / words[0]))
    target = words[1] if words[1] == "-" else tmp_path / words[1]
    said = srdiff_video(tmp_path / words[0], target, code=2).output
    assert "is a pipe or a device, where one cannot go back; save it as a file" in said and said.count("\n") == 1


@pytest.mark.parametrize("target", ["out.mkv", "-"])
def test_damage_that_the_decoder_conceals_is_counted(
    target: str, srdiff_video: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srdiff.video.pipe.output_bytes", io.BytesIO)
    source = film(tmp_path / "in.mkv", frames=views(len(STEADY), 96, 64), sound=None)
    with av.open(str(source)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    data = bytearray(source.read_bytes())
    for packet in packets[6:8]:
        middle = packet.pos + packet.size // 2
        data[middle : middle + 8] = bytes(byte ^ 0x55 for byte in data[middle : middle + 8])
    source.write_bytes(data)
    with av.open(str(source)) as container:
        times = [float(frame.time) for frame in container.decode(video=0) if frame.is_corrupt]
    assert times
    words = (source, target if target == "-" else tmp_path / target)
    said = srdiff_video(*words).output
    assert f"what {len(times)} damaged frames showed (the first at {times[0]:.2f} s)" in said
    assert "damaged" not in srdiff_video(*words, "--end", times[0], "--overwrite").output
