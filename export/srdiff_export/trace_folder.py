"""Where MindSpore writes and reads its own files."""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from srdiff.errors import OptionError

# MindSpore's own grammar of paths, which a user's names need not follow.
_TAKEN = re.compile(r"[0-9a-zA-Z@_\-.:/\\]+")


@contextmanager
def trace_folder() -> Iterator[Path]:
    """A temporary folder whose path MindSpore takes; not beside the user's file, whose name may have any letters.

    Raises:
        OptionError: the system's folder for temporary files has a name with others.
    """
    with tempfile.TemporaryDirectory() as folder:
        if not _TAKEN.fullmatch(folder):
            raise OptionError(
                f"the folder for temporary files is {tempfile.gettempdir()} and MindSpore takes letters of ASCII, "
                "digits and @ _ - . alone in a path; set TMPDIR to such a folder"
            )
        yield Path(folder)
