"""Where things are kept that take long to make or fetch."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$SRDIFF_CACHE``, else ``srdiff`` in the user's cache folder."""
    if "SRDIFF_CACHE" in os.environ:
        return Path(os.environ["SRDIFF_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "srdiff"
