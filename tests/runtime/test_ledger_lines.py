"""What was written into a ledger is read again, whoever writes beside it and whatever the disk refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srdiff import OptionError, OutputError
from srdiff.batch import lines
from srdiff.batch.ledger import Ledger
from srdiff.batch.lines import HEADER, Pen, read_lines

from .test_ledger_entries import NAME, entry

# Waits for a line with a file's name, and so for the other process, before each file.
WRITER = """
import sys
from pathlib import Path
from srdiff.batch.lines import Pen
for name in sys.stdin:
    pen = Pen(Path(name.strip()))
    for number in range(4):
        pen.write(b'{"key": "%s-%d"}\\n' % (sys.argv[1].encode(), number))
    pen.close()
    print(flush=True)
"""
# A disk that takes the first bytes of a line only, and has space again afterwards.
FULL = """
import resource, sys
from pathlib import Path
from srdiff.batch.lines import Pen
from srdiff.errors import OutputError
path = Path(sys.argv[1])
pen = Pen(path)
pen.write(b'{"key": "one"}\\n')
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 9, resource.RLIM_INFINITY))
try:
    pen.write(b'{"key": "two"}\\n')
except OutputError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
pen.write(b'{"key": "three"}\\n')
"""


def keys(path: Path) -> list[str]:
    return [data["key"] for data in read_lines(path) if data is not None and "key" in data]


def test_two_processes_that_begin_at_once_lose_no_line(tmp_path: Path) -> None:
    words = [sys.executable, "-c", WRITER]
    writers = [
        subprocess.Popen([*words, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        for name in ("a", "b")
    ]
    expected = sorted(f"{name}-{number}" for name in ("a", "b") for number in range(4))
    for round in range(200):
        path = tmp_path / f"{round}.jsonl"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write(f"{path}\n")
        for writer in writers:
            assert writer.stdout is not None and writer.stdout.readline() == "\n", "a process ended"
        assert sorted(keys(path)) == expected and None not in read_lines(path)
        assert path.read_bytes().startswith(HEADER)
    for writer in writers:
        writer.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on file sizes")
def test_a_line_that_the_disk_did_not_take_costs_no_other(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path / NAME)], capture_output=True, text=True)
    assert done.returncode == 0 and "cannot be written" in done.stdout, done.stderr
    assert keys(tmp_path / NAME) == ["one", "three"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from([b"", HEADER[:1], HEADER[:-1], b"\0" * 30, HEADER, HEADER + b'{"key', HEADER[:4] + b"\0"]),
    writes=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40)), max_size=12),
)
def test_every_line_that_was_written_is_read(tmp_path_factory, monkeypatch, start, writes):
    """Two pens on one file whatever it holds, of a disk that takes any number of bytes before it refuses."""
    path = tmp_path_factory.mktemp("any") / NAME
    path.write_bytes(start)
    space = 0
    write = lines.os.write

    def refusing(file: int, content: bytes) -> int:
        nonlocal space
        taken = min(space, len(content))
        space -= taken
        return write(file, content[:taken])

    monkeypatch.setattr(lines.os, "write", refusing)
    pens, expected = {"a": Pen(path), "b": Pen(path)}, []
    for number, (name, free) in enumerate([*writes, ("a", 1000)]):
        space = free
        line = json.dumps({"key": str(number)}).encode() + b"\n"
        try:
            pens[name].write(line)
            expected.append(str(number))
        except OutputError:
            if path.read_bytes().endswith(line[:-1]):  # all of it but its end is there
                expected.append(str(number))
        assert keys(path) == expected
    for pen in pens.values():
        pen.close()
    monkeypatch.undo()


@settings(max_examples=60, deadline=None)
@given(mark=st.booleans(), before=st.lists(st.booleans(), max_size=4), ended=st.booleans())
def test_what_an_editor_does_to_a_ledger(tmp_path_factory, mark, before, ended):
    """A mark before it, ends of lines of another system, none at its end."""
    path = tmp_path_factory.mktemp("any") / NAME
    pen = Pen(path)
    for number in range(len(before)):
        pen.write(b'{"key": "%d"}\n' % number)
    pen.write()
    pen.close()
    ends = [b"\r\n" if end else b"\n" for end in [mark, *before]]
    edited = b"".join(line + end for line, end in zip(path.read_bytes().splitlines(), ends))
    path.write_bytes(b"\xef\xbb\xbf" * mark + (edited if ended else edited.rstrip()))
    pen.write(b'{"key": "new"}\n')
    pen.close()
    assert keys(path) == [*map(str, range(len(before))), "new"] and None not in read_lines(path)


def test_pins_that_were_not_written_are_written_with_the_next_line(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path / NAME)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    ledger.begin()
    with monkeypatch.context() as patched, pytest.raises(OutputError):
        patched.setattr(lines.os, "write", full)
        ledger.append(entry("a", 1.0), {"seed": 7})
    ledger.append(entry("b", 2.0), {"seed": 7})
    again = Ledger(tmp_path / NAME)
    assert set(again.entries) == {"b"} and again.own_pins == [{"seed": 7}]


@pytest.mark.parametrize(
    "content", [b"{\n}\n", b"\n\nmine\n", b"{" + b" " * 100, b"\0\0mine", HEADER.strip() + b" x\n"]
)
def test_texts_that_begin_like_a_ledger_are_none(tmp_path, content):
    (tmp_path / "mine.txt").write_bytes(content)
    with pytest.raises(OptionError, match="is no ledger"):
        Ledger(tmp_path / "mine.txt")
    assert (tmp_path / "mine.txt").read_bytes() == content
