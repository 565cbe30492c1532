"""Which names are one file's or folder's, and how a ledger spells them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Tuple, Union

# A file itself, or what it would be called.
Identity = Union[Tuple[int, int], str]


def spelling(path: Path) -> str:
    """What a path is called where the system does not tell capitals apart."""
    text = os.path.normcase(os.path.abspath(str(path)))  # noqa: PTH100  # resolve fails at circles of links
    return text.casefold() if sys.platform == "darwin" else text


def noted(path: str) -> str:
    """A path as ledgers have it: by its bytes, which another locale takes for other letters."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def named(noted: str) -> str:
    """What a path that :func:`noted` spells is called here; raises ValueError where it spells none."""
    return os.fsdecode(noted.encode("utf-8", "surrogateescape"))


def identity(path: Path) -> Identity:
    """The file itself, whatever its name: by device and inode where it exists."""
    try:
        found = path.stat()
        return (found.st_dev, found.st_ino)
    except (OSError, ValueError):
        return spelling(path)


def same_file(first: Path, second: Path) -> bool:
    """Whether two paths lead to one file or folder, whatever they are called."""
    return identity(first) == identity(second)
