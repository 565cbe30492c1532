"""What an export and a conversion share: shapes that fit, and a folder that is whole or gone."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

from srdiff.atomic_files import cannot_write
from srdiff.errors import OptionError
from srdiff.manifest import Manifest
from srdiff.unfinished_files import forget, new_name, remove_leftovers


def require_fitting(lr_shape: tuple[int, int], manifest: Manifest) -> None:
    """Raises OptionError for an LR shape that the network does not take."""
    hr_shape = [size * manifest.scale for size in lr_shape]
    if any(size < manifest.hr_minimum or size % manifest.hr_multiple for size in hr_shape):
        raise OptionError(
            f"an LR shape of {lr_shape[0]}x{lr_shape[1]} gives {hr_shape[0]}x{hr_shape[1]}; "
            f"both sides must be multiples of {manifest.hr_multiple} and at least {manifest.hr_minimum}"
        )


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """A folder beside the target that is gone afterwards unless it was renamed, as are the target's parents unless they
    were there before. What killed processes left there goes, too.

    Raises:
        OutputError: a folder cannot be made there.
    """
    missing = [parent for parent in target.parents if not parent.exists()]
    parent = target.parent / new_name()
    try:
        folder = parent / target.name
        folder.mkdir(parents=True)
        remove_leftovers(target.parent)
        yield folder
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        shutil.rmtree(str(parent), ignore_errors=True)
        forget(parent.name)
        for made in missing:
            with suppress(OSError):  # holds the target
                made.rmdir()


def take_place(folder: Path, target: Path) -> None:
    """Give a staged folder its name. What had it goes with the rest of the staging folder, so that the name is free for
    no longer than two renames take."""
    if target.exists():
        target.rename(folder.with_name("replaced " + folder.name))
    folder.rename(target)
