"""Folders that appear whole or not at all, and none that stays empty."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

from .atomic_files import already_made, cannot_write
from .looking import is_there
from .unfinished_files import forget, new_name, remove_leftovers


@contextmanager
def kept_if_filled(folder: Path) -> Iterator[None]:
    """Makes a folder that is not there, and those above it; they are gone afterwards where nothing came to lie in them.

    Raises:
        OutputError: it cannot be made.
    """
    missing = [place for place in (folder, *folder.parents) if not is_there(place)]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        yield
    finally:
        for place in missing:
            with suppress(OSError):  # something lies in it
                place.rmdir()


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """A folder beside the target, and of its name, that is gone afterwards unless it was renamed. What killed processes
    left there goes, too.

    Raises:
        OutputError: a folder cannot be made there; so is every OSError in the block.
    """
    with kept_if_filled(target.parent):
        remove_leftovers(target.parent)
        parent = target.parent / new_name()
        try:
            folder = parent / target.name
            folder.mkdir(parents=True)
            yield folder
        except OSError as error:
            raise cannot_write(target, error) from error
        finally:
            shutil.rmtree(str(parent), ignore_errors=True)
            forget(parent.name)


def take_place(folder: Path, target: Path, replace: bool) -> None:
    """Give a staged folder its name. What had it goes with the rest of the staging folder, so that the name is free for
    no longer than two renames take; unless it is not to be replaced, which raises ExistsError.
    """
    if replace and is_there(target):
        target.rename(folder.with_name("replaced " + folder.name))
    try:
        folder.rename(target)
    except OSError:
        if is_there(target):
            raise already_made(target) from None
        raise
