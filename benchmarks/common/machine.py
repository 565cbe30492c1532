"""What the numbers were taken on and with."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path
from typing import Iterable

import srdiff

# As /proc/cpuinfo has them: what decides how fast a CPU multiplies matrices.
INSTRUCTIONS = {"AVX2": "avx2", "AVX-512": "avx512f", "AVX512-BF16": "avx512_bf16", "AMX": "amx_tile"}


def cpu_name() -> str:
    """The CPU, and which of the instructions that count here it has."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8", errors="replace") if info.is_file() else ""
    return named(text) or platform.processor() or "an unknown CPU"


def named(cpuinfo: str) -> str:
    """The same from the text of Linux' file, where there is a name in it."""
    found = dict(re.findall(r"^(model name|cpu family|model|flags)\s*: *(.+)$", cpuinfo, re.MULTILINE))
    if "model name" not in found:
        return ""
    name = found["model name"].strip()
    if "flags" not in found:
        return name
    flags = set(found["flags"].split())
    has = [instruction for instruction, flag in INSTRUCTIONS.items() if flag in flags]
    lacks = [instruction for instruction in INSTRUCTIONS if instruction not in has]
    model = f" (family {found['cpu family']}, model {found['model']})" if {"cpu family", "model"} <= set(found) else ""
    parts = [f"with {', '.join(has)}" if has else "", f"without {', '.join(lacks)}" if lacks else ""]
    return f"{name}{model} " + ", ".join(filter(None, parts))


def platform_name() -> str:
    return f"{platform.system()} {platform.machine()}"


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Of this project, Python, and those of the libraries that were imported."""
    found = {name: getattr(sys.modules.get(name), "__version__", "").split("-")[0] for name in sorted(set(libraries))}
    return {"srdiff": srdiff.__version__, "Python": platform.python_version(), **found}


def listed(versions: dict[str, str]) -> str:
    """For a sentence; what has no version is left out."""
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)
