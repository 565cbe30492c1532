"""A run that was stopped or killed goes on to the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("av")

from srdiff.errors import ExistsError, OutputError
from srdiff.unfinished_files import OLD
from srdiff.upscaler import Upscaler
from srdiff.video import enlarging
from srdiff.video.coding import Coded, Wishes
from srdiff.video.film import Part
from srdiff.video.pieces import Pieces

from .command import STEPS
from .films import SETTINGS, STEADY, film, left, made, views


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


def test_a_film_that_appears_meanwhile_is_kept_and_so_are_the_pieces(upscaler: Upscaler, tmp_path: Path) -> None:
    source, target = film(tmp_path / "in.mp4"), tmp_path / "out.mp4"

    def tell(done: float, kept: int, total: int | None) -> None:
        target.write_bytes(b"theirs")

    with pytest.raises(ExistsError, match=r"out\.mp4 was made by another meanwhile and is kept; move it away"):
        made(upscaler, source, target, tell)
    assert target.read_bytes() == b"theirs"
    target.unlink()
    outcome = made(upscaler, source, target)
    assert outcome.kept == outcome.frames == len(STEADY) and left(tmp_path) == []


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


@pytest.mark.slow
def test_the_bytes_do_not_follow_what_memory_held_before(tmp_path: Path) -> None:
    """glibc is asked to fill what it hands out; x264 reads some of it where it computes in AVX-512."""
    source = film(tmp_path / "in.mp4", tuple(3600 * number for number in range(24)), views(72)[48:])
    words = [sys.executable, "-m", "srdiff.commands.video", *map(str, STEPS), str(source)]
    for fill in ("1", "85"):
        subprocess.run([*words, str(tmp_path / f"{fill}.mp4")], env={**os.environ, "MALLOC_PERTURB_": fill}, check=True)
    assert (tmp_path / "1.mp4").read_bytes() == (tmp_path / "85.mp4").read_bytes()


@given(st.data())
def test_a_piece_that_is_not_whole_is_none(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Cut anywhere or longer."""
    packets = [Coded(payload, time, True) for time, payload in enumerate(data.draw(st.lists(st.binary(), min_size=1)))]
    times = [packet.time for packet in packets]
    with Pieces(tmp_path_factory.mktemp("pieces") / "out.mp4", {}, False) as pieces:
        pieces.put(0, times, packets)
        assert pieces.has(0, times) and list(pieces.packets(0)) == packets
        file = pieces.folder / "000000.piece"
        whole = file.read_bytes()
        other = whole[: data.draw(st.integers(0, len(whole) - 1))] if data.draw(st.booleans()) else whole + b"\0"
        file.write_bytes(other)
        assert not pieces.has(0, times)


@pytest.mark.parametrize("damage", ["", "null", "[1]", "3", "{", "\xff"])
def test_settings_that_cannot_be_read_are_other_ones(damage: str, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with Pieces(target, {"seed": 0}, False) as pieces:
        pieces.put(0, [0], [])
        (pieces.folder / "made-with.json").write_text(damage, encoding="latin-1")
    with pytest.raises(OutputError, match="begin anew with overwrite"), Pieces(target, {"seed": 0}, False):
        pass
    with Pieces(target, {"seed": 0}, True) as pieces:
        assert not pieces.has(0, [0])


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


@pytest.mark.parametrize("anew", [False, True])
def test_a_film_under_way_for_days_is_nobody_elses(anew: bool, tmp_path: Path) -> None:
    begin = (
        "import sys; from pathlib import Path; from srdiff.video.pieces import Pieces\n"
        "with Pieces(Path(sys.argv[1]), {'seed': 0}, False) as pieces:\n"
        "    pieces.put(0, [0], []); print(flush=True); input()"
    )
    words = [sys.executable, "-c", begin, str(tmp_path / "out.mp4")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        (mark,) = tmp_path.glob(".srdiff-film-*/.srdiff-*")
        os.utime(str(mark), (time.time() - 2 * OLD,) * 2)
        with pytest.raises(OutputError, match="another process"), Pieces(tmp_path / "out.mp4", {"seed": 3}, anew):
            pass
        assert mark.exists() and len(list(tmp_path.glob(".srdiff-film-*/*.piece"))) == 1
        first.communicate(b"\n")
    assert not mark.exists()


def test_the_mark_is_as_young_as_the_last_step(upscaler: Upscaler, tmp_path: Path) -> None:
    """Other machines on the same disk know by its age alone that somebody is at work."""
    ages = []

    def tell(*_: object) -> None:
        (mark,) = tmp_path.glob(".srdiff-film-*/.srdiff-*")
        ages.append(time.time() - mark.stat().st_mtime)
        os.utime(str(mark), (0, 0))

    made(upscaler, film(tmp_path / "in.mp4"), tmp_path / "out.mp4", tell)
    assert len(ages) >= len(STEADY) and max(ages) < OLD / 2


def test_pieces_that_were_taken_away_are_not_said_to_be_kept(
    srdiff_video: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a machine with another clock: the film ends in a sentence, and what is another's is left alone."""
    monkeypatch.setattr(enlarging, "PIECE", 4)
    put, theirs = Pieces.put, []

    def put_and_lose(pieces: Pieces, number: int, *rest: Any) -> None:
        put(pieces, number, *rest)
        if number == 1:
            for path in pieces.folder.iterdir():
                path.unlink()
            theirs.append(pieces.folder / "000000.piece")
            theirs[0].write_bytes(b"another's")

    monkeypatch.setattr(Pieces, "put", put_and_lose)
    source, target = film(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    result = srdiff_video(source, target, code=2)
    assert "was removed or taken over" in result.output and "are kept" not in result.output
    assert theirs[0].read_bytes() == b"another's" and not target.exists()


def test_what_is_kept_is_said(
    srdiff_video: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlarging, "PIECE", 4)

    def full(*_: object) -> None:
        raise OutputError("no space")

    monkeypatch.setattr(enlarging.muxing, "write", full)
    source, target = film(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    assert "12 frames are kept" in srdiff_video(source, target, code=2).output
