"""What an extra brings, missing: a sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from srdiff.errors import PackageError, one_line


@contextmanager
def brought_by(extra: str) -> Iterator[None]:
    """Around imports of what an extra brings.

    Raises:
        PackageError: one of them is not installed, or does not load.
    """
    try:
        yield
    except ImportError as error:
        raise PackageError(
            f"{error.name or 'MindSpore'} does not load here ({one_line(error)}); on Python 3.11 or older run: "
            f"pip install 'srdiff[{extra}]'"
        ) from error
