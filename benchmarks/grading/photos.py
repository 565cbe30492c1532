"""Photos that have no truth to compare with: what came out of a camera or a scanner, enlarged as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from srdiff.errors import ImageError
from srdiff.photo.read import read_photo
from srdiff_training.measure.pairs import MAX_PIXELS, image_files


class Subject(Protocol):
    """What methods are tried on: a true image and its input, or an input alone."""

    @property
    def name(self) -> str: ...

    def load(self, scale: int) -> tuple[np.ndarray | None, np.ndarray]:
        """uint8 RGB: the true image, where there is one, and the input."""


class Subjects(Protocol):
    """Several of them under one name, at least one."""

    @property
    def name(self) -> str: ...

    @property
    def pairs(self) -> tuple[Subject, ...]: ...


@dataclass(frozen=True)
class Photo:
    """An input alone."""

    name: str
    file: Path

    def load(self, scale: int) -> tuple[None, np.ndarray]:
        """Raises ImageError for a file that cannot be read or has 16 bits."""
        pixels = read_photo(self.file, MAX_PIXELS).pixels
        if pixels.dtype != np.uint8:
            raise ImageError(f"{self.file} has 16 bits where measures take 8; convert it")
        return None, pixels


@dataclass(frozen=True)
class PhotoSet:
    name: str
    pairs: tuple[Photo, ...]


def find_photos(folder: Path, limit: int | None = None) -> PhotoSet:
    """A folder's images, sorted by name, at most ``limit``.

    Raises:
        ImageError: there are none.
    """
    files = image_files(folder) if folder.is_dir() else []
    if not files:
        raise ImageError(f"{folder} holds no images; give a folder of photos")
    names = [file.stem for file in files]
    if len(set(names)) < len(names):
        raise ImageError(f"{folder} has several images of one name that differ in their suffix alone; rename them")
    return PhotoSet(folder.resolve().name, tuple(Photo(name, file) for name, file in list(zip(names, files))[:limit]))
