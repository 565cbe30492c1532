"""What is at a path. Where one may not look, or no name is so long, nothing is: Path's own raise before Python 3.14."""

from __future__ import annotations

import stat
from pathlib import Path


def mode_of(path: Path | str) -> int:
    """Of what a link leads to; 0 where nothing is."""
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError):
        return 0


def is_there(path: Path | str) -> bool:
    return mode_of(path) != 0


def is_folder(path: Path | str) -> bool:
    return stat.S_ISDIR(mode_of(path))


def is_file(path: Path | str) -> bool:
    return stat.S_ISREG(mode_of(path))


def is_stream(path: Path | str) -> bool:
    """A device or a pipe, or a link to one."""
    mode = mode_of(path)
    return mode != 0 and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
