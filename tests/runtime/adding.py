"""A bundle in a zip, for what takes one."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Callable

from srdiff.doctor.golden import GOLDEN as GOLDEN_FOLDER

GOLDEN = GOLDEN_FOLDER / "golden.srdiff"
Models = Callable[..., str]


def zipped(target: Path, inside: str = "golden.srdiff/", **more: bytes) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in GOLDEN.iterdir():
            archive.write(file, inside + file.name)
        for name, content in more.items():
            archive.writestr(name.replace("__", "/"), content)
    return target
