"""What an export and a conversion share: shapes that fit, and a folder that is whole or gone."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from srdiff.errors import OptionError, OutputError
from srdiff.manifest import Manifest


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
    """A folder beside the target that is gone afterwards unless it was renamed."""
    try:
        parent = Path(tempfile.mkdtemp(prefix=".export-", dir=str(target.parent)))
    except OSError as error:
        raise OutputError(f"{target.parent} cannot be written to ({error.strerror}); choose another -o") from error
    try:
        folder = parent / target.name
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(parent, ignore_errors=True)
