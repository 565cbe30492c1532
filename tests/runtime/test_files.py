"""Outputs are refused before the work, and appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from srdiff.errors import OutputError
from srdiff.files import atomic_file, require_writable

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
    require_writable(tmp_path / "new" / "deeper" / "out.png")
    assert os.listdir(tmp_path / "new" / "deeper") == []


def test_a_failure_leaves_the_old_file(tmp_path):
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(target) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.png"]
