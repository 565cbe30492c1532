"""What the numbers were taken on and with."""

from __future__ import annotations

import platform
import sys
from typing import Iterable

import srdiff


def platform_name() -> str:
    return f"{platform.system()} {platform.machine()}"


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Of this project, Python, and those of the libraries that were imported."""
    found = {name: getattr(sys.modules.get(name), "__version__", "").split("-")[0] for name in sorted(set(libraries))}
    return {"srdiff": srdiff.__version__, "Python": platform.python_version(), **found}


def listed(versions: dict[str, str]) -> str:
    """For a sentence; what has no version is left out."""
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)
