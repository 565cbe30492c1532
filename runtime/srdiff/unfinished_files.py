"""Names of what is not whole yet: they say whose it is, so that what a killed process left can go."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

# Seconds without a write after which a file belongs to nobody, wherever its process ran.
OLD = 24 * 60 * 60

_NAME = re.compile(r"\.srdiff-([0-9a-f]{8})-(\d+)-[0-9a-f]{16}(\..*)?")

# Of this process: a restarted container often gives the same number again.
_under_way: set[str] = set()


def new_name(suffix: str = "") -> str:
    """A hidden name that no other process makes; does not grow with the final name."""
    name = f".srdiff-{_place()}-{os.getpid()}-{uuid4().hex[:16]}{suffix}"
    _under_way.add(name)
    return name


def forget(name: str) -> None:
    """The file has its final name or is gone."""
    _under_way.discard(name)


def remove_leftovers(folder: Path) -> list[Path]:
    """Removes what killed processes left in a folder, and returns it; files of any other name are not looked at.

    A file goes when its process is gone, which can be told on the same machine only. A living process keeps its files,
    however old; where that cannot be told, a file goes when nobody has written to it, or into it, for a day.
    """
    removed = []
    with suppress(OSError):  # a folder that is not there or not ours holds nothing to remove
        for path in folder.iterdir():
            match = _NAME.fullmatch(path.name)
            if match is not None and _is_nobodys(path, match.group(1), int(match.group(2))):
                with suppress(OSError):
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
                    removed.append(path)
    return removed


def _is_nobodys(path: Path, place: str, process: int) -> bool:
    if place == _place():
        if process == os.getpid():
            return path.name not in _under_way
        alive = _is_alive(process)
        if alive is not None:
            return not alive
    try:
        return time.time() - _last_written(path) > OLD
    except OSError:
        return False


def _is_alive(process: int) -> bool | None:
    """Of this machine; None where that cannot be told."""
    if os.name != "posix":
        return None  # elsewhere os.kill(…, 0) ends the process
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _last_written(path: Path) -> float:
    """Of a folder and all in it; a folder's own time does not tell of what is written deeper. Raises OSError."""
    latest = path.lstat().st_mtime
    if path.is_dir() and not path.is_symlink():
        latest = max([latest, *(_last_written(inner) for inner in path.iterdir())])
    return latest


@lru_cache(maxsize=None)
def _place() -> str:
    """Where a process number means something: this machine since it was started, this container."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
