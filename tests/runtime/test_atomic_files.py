"""Outputs are refused before the work, and appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from srdiff.atomic_files import atomic_file, make_folder, require_writable
from srdiff.errors import ExistsError, OutputError

NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write anywhere, so as root this steps down for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def locked() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, whose parents only its owner may enter
        Path(folder).chmod(0o555)
        yield Path(folder)
        Path(folder).chmod(0o755)


def test_a_folder_without_write_permission(locked):
    with unprivileged(), pytest.raises(OutputError, match=r"Permission denied.*; choose a folder"):
        require_writable(locked / "out.png")
    with unprivileged(), pytest.raises(OutputError, match="may write to"):
        require_writable(locked / "new" / "out.png")
    assert os.listdir(locked) == []


def test_a_folder_that_can_be_made(tmp_path):
    target = tmp_path / "new" / "deeper" / "out.png"
    require_writable(target)
    assert os.listdir(tmp_path) == []
    make_folder(target)
    assert os.listdir(tmp_path / "new" / "deeper") == []


def test_a_file_where_a_folder_would_have_to_be(tmp_path):
    (tmp_path / "photo.png").touch()
    with pytest.raises(OutputError, match="choose a folder that is one"):
        require_writable(tmp_path / "photo.png" / "new" / "out.png")


def test_a_failure_leaves_the_old_file(tmp_path):
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(target) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.png"]


@pytest.mark.parametrize(
    "fails", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError(), None], ids=repr
)
@pytest.mark.parametrize("early", [False, True])
def test_atomic_file_is_all_or_nothing(fails: BaseException | None, early: bool, tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_text("old")

    def work() -> None:
        with atomic_file(path) as temporary:
            assert temporary.parent == path.parent and temporary.suffix == ".png" and temporary != path
            if fails and early:
                raise fails
            temporary.write_text("new")
            assert path.read_text() == "old"
            if fails:
                raise fails

    if fails:
        with pytest.raises(OutputError if isinstance(fails, OSError) else type(fails)):
            work()
    else:
        work()
    assert path.read_text() == ("old" if fails else "new")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("replace", [True, False])
def test_the_disk_has_all_of_it_before_it_gets_its_name(
    replace: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flushed = tmp_path / "out.png", []
    fsync = os.fsync

    def flush(number: int) -> None:
        fsync(number)
        flushed.append((os.fstat(number).st_ino, os.fstat(number).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", flush)
    with atomic_file(path, replace=replace) as temporary:
        temporary.write_bytes(b"all of it")
    assert (path.stat().st_ino, 9, False) in flushed


def test_atomic_file_refuses_a_folder_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder"), atomic_file(tmp_path):
        pytest.fail("the work was done")


@pytest.fixture(params=["links", "no links", "links unknown"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file system knows of hard links."""

    def refused(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    if request.param == "no links":
        monkeypatch.setattr(os, "link", refused)
    if request.param == "links unknown":
        monkeypatch.delattr(os, "link")
    return str(request.param)


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("there", [None, "before", "meanwhile", "the same meanwhile"])
def test_what_appears_meanwhile_stays_unless_it_may_go(
    links: str, replace: bool, there: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "out.png"
    content = "new" if there == "the same meanwhile" else "theirs"
    if there == "before":
        path.write_text(content)

    def work() -> None:
        with atomic_file(path, replace=replace) as temporary:
            temporary.write_text("new")
            if there is not None and there.endswith("meanwhile"):
                path.write_text(content)

    if replace or there in (None, "the same meanwhile"):
        work()
        assert path.read_text() == "new"
    else:
        with pytest.raises(ExistsError, match=r"out\.png was made by another meanwhile and is kept; move it away"):
            work()
        assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_of_several_at_once_one_gets_the_name(tmp_path: Path) -> None:
    def make(number: int) -> int | None:
        try:
            with atomic_file(tmp_path / "out.png", replace=False) as temporary:
                temporary.write_text(str(number))
        except ExistsError:
            return None
        return number

    for _ in range(20):
        with ThreadPoolExecutor(8) as pool:
            won = [number for number in pool.map(make, range(8)) if number is not None]
        assert len(won) == 1 and (tmp_path / "out.png").read_text() == str(won[0])
        assert os.listdir(tmp_path) == ["out.png"]
        (tmp_path / "out.png").unlink()


def test_a_link_to_nothing_leads_to_the_file(links: str, tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to("real.png")
    with atomic_file(tmp_path / "link.png", replace=False) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.png").is_symlink() and (tmp_path / "real.png").read_text() == "new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with atomic_file(pipe) as path:
        assert path == pipe
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="pipes have no names here")
def test_a_pipe_is_written_itself() -> None:
    """Its link, as of /dev/stdout and >(command), leads to a name that is no file."""
    reading, writing = os.pipe()
    try:
        target = Path(f"/dev/fd/{writing}")
        require_writable(target)
        with atomic_file(target) as path:
            path.write_bytes(b"whole")
        assert os.read(reading, 16) == b"whole"
    finally:
        os.close(reading)
        os.close(writing)
