"""What a killed process left goes, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from srdiff.atomic_files import atomic_file
from srdiff.unfinished_files import new_name, remove_leftovers

WRITER = """
import sys, time
from pathlib import Path
from srdiff.atomic_files import atomic_file
with atomic_file(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    print(temporary.name, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path: Path):
    """A process in the middle of writing out.png."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "out.png"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() in os.listdir(tmp_path)
    yield process
    process.kill()
    process.wait()


def test_a_living_process_keeps_its_file_and_a_killed_one_does_not(writer, tmp_path):
    assert remove_leftovers(tmp_path) == []
    writer.kill()
    writer.wait()
    assert len(os.listdir(tmp_path)) == 1
    (left,) = remove_leftovers(tmp_path)
    assert left.parent == tmp_path and os.listdir(tmp_path) == []


def test_a_living_process_keeps_its_file_however_old(writer, tmp_path):
    """As of a suspended one, or of a mark that is made once for days of work."""
    (file,) = tmp_path.iterdir()
    os.utime(str(file), (0, 0))
    assert remove_leftovers(tmp_path) == [] and file.exists()


def test_where_life_cannot_be_told_age_decides(writer, tmp_path, monkeypatch):
    (file,) = tmp_path.iterdir()
    monkeypatch.setattr("srdiff.unfinished_files._is_alive", lambda _: None)
    assert remove_leftovers(tmp_path) == []
    os.utime(str(file), (0, 0))
    assert remove_leftovers(tmp_path) == [file]


def test_a_folder_is_as_old_as_what_was_last_written_in_it(tmp_path):
    """As of another container's block of images: only files deep in it change."""
    folder = tmp_path / f".srdiff-{'0' * 8}-1-{'1' * 16}"
    (folder / "0" / "in").mkdir(parents=True)
    (folder / "0" / "in" / "a.png").touch()
    for path in (folder / "0" / "in", folder / "0", folder):
        os.utime(str(path), (0, 0))
    assert remove_leftovers(tmp_path) == []
    os.utime(str(folder / "0" / "in" / "a.png"), (0, 0))
    assert remove_leftovers(tmp_path) == [folder]


def test_own_files_under_way_are_kept(tmp_path):
    with atomic_file(tmp_path / "out.png") as temporary:
        temporary.write_bytes(b"half")
        assert remove_leftovers(tmp_path) == []
    assert os.listdir(tmp_path) == ["out.png"]


def test_an_earlier_process_of_the_same_number(tmp_path):
    """As in a container that was restarted, where every process has the number it had before."""
    place, number, _ = new_name().split("-")[1:]
    name = f".srdiff-{place}-{number}-{'0' * 16}.png"
    (tmp_path / name).touch()
    assert [path.name for path in remove_leftovers(tmp_path)] == [name]


def test_other_machines_files_go_when_they_are_old(tmp_path):
    mine, old = (tmp_path / f".srdiff-{'0' * 8}-1-{digit * 16}.png" for digit in "12")
    mine.touch()
    old.touch()
    os.utime(str(old), (time.time() - 90000,) * 2)
    assert remove_leftovers(tmp_path) == [old]
    assert os.listdir(tmp_path) == [mine.name]


@pytest.mark.parametrize("name", [".srdiff", ".srdiff-notes.png", "a.png", f".{'0' * 32}.png", ".srdiff-0-1-2.png"])
def test_other_names_are_not_looked_at(tmp_path, name):
    (tmp_path / name).touch()
    os.utime(str(tmp_path / name), (0, 0))
    assert remove_leftovers(tmp_path) == [] and os.listdir(tmp_path) == [name]


def test_a_folder_that_is_not_there(tmp_path):
    assert remove_leftovers(tmp_path / "none") == []
