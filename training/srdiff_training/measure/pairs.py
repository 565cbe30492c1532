"""True images and the inputs made from them, in the folder layouts of the field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from srdiff.errors import ImageError, OptionError
from srdiff.photo.formats import readable_suffixes
from srdiff.photo.read import read_photo
from srdiff.resize import bicubic

MAX_PIXELS = 178_956_970  # what Pillow calls a decompression bomb
# img_001_HR and img_001_LR, 0801 and 0801x4, baby and babyx4 are one image.
_ENDING = re.compile(r"(_?(HR|LR))?(_?x\d)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Pair:
    """A true image and the file of its input; None stands for MATLAB bicubic of the true image."""

    name: str
    hr: Path
    lr: Path | None

    def load(self, scale: int) -> tuple[np.ndarray, np.ndarray]:
        """uint8 RGB: the true image, cut at the right and bottom to a multiple of the scale, and its input.

        Raises:
            ImageError: a file cannot be read, has 16 bits, or the two sizes do not fit.
        """
        hr = self.load_hr(scale)
        height, width = hr.shape[0] // scale, hr.shape[1] // scale
        if self.lr is None:
            return hr, bicubic(hr, height, width)
        lr = _eight_bit(self.lr)
        if lr.shape != (height, width, 3):
            raise ImageError(
                f"{self.lr} is {lr.shape[1]}x{lr.shape[0]} where 1/{scale} of {self.hr} is {width}x{height}; "
                "give the images that belong together"
            )
        return hr, lr

    def load_hr(self, scale: int) -> np.ndarray:
        """The true image of :meth:`load` alone."""
        hr = _eight_bit(self.hr)
        height, width = hr.shape[0] // scale, hr.shape[1] // scale
        if not height or not width:
            raise ImageError(f"{self.hr} is {hr.shape[1]}x{hr.shape[0]}; it must have at least {scale} pixels a side")
        return np.ascontiguousarray(hr[: height * scale, : width * scale])


@dataclass(frozen=True)
class DataSet:
    """Pairs under one name, at least one."""

    name: str
    pairs: tuple[Pair, ...]


def find_pairs(folder: Path, scale: int, limit: int | None = None) -> DataSet:
    """The pairs of a folder, sorted by name.

    Layouts: ``HR`` and ``LR_x4``; ``HR`` alone; ``X1`` and ``X4`` as the model card has them, here or
    in ``val``; or images alone.

    Args:
        folder: the data set.
        scale: side of the result over side of the input.
        limit: take only so many.

    Raises:
        ImageError: there are no images.
        OptionError: an image of one folder has no partner in the other.
    """
    for hr, lr in (("HR", f"LR_x{scale}"), ("val/X1", f"val/X{scale}"), ("X1", f"X{scale}")):
        if (folder / hr).is_dir():
            pairs = pair_up(folder / hr, folder / lr if (folder / lr).is_dir() else None)
            break
    else:
        pairs = pair_up(folder, None) if folder.is_dir() else ()
    if not pairs:
        raise ImageError(
            f"{folder} holds no images; give a folder with HR and LR_x{scale}, with X1 and X{scale} "
            "(as srdiff-preprocess makes them, in its train and val), or with images"
        )
    return DataSet(folder.resolve().name, pairs[:limit])


def pair_up(hr: Path, lr: Path | None) -> tuple[Pair, ...]:
    """The images of two folders that belong together, sorted by name; without a second folder, those of the first.

    Raises:
        OptionError: an image of one folder has no partner in the other.
    """
    hr_files = _by_name(hr)
    lr_files = {} if lr is None else _by_name(lr)
    alone = sorted(set(hr_files) ^ set(lr_files)) if lr_files else []
    if alone:
        raise OptionError(f"{alone[0]} is in only one of {hr} and {lr}; complete the pairs")
    return tuple(Pair(name, file, lr_files.get(name)) for name, file in sorted(hr_files.items()))


def image_files(folder: Path) -> list[Path]:
    """A folder's images, by the suffixes that are read, sorted; hidden files are left out."""
    suffixes = readable_suffixes()
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in suffixes and file.name[0] != ".")


def _by_name(folder: Path) -> dict[str, Path]:
    files = image_files(folder)
    named = {_ENDING.sub("", file.stem): file for file in files}
    if len(named) < len(files):
        raise OptionError(f"{folder} has several images whose names differ only in HR, LR or x4; rename them")
    return named


def _eight_bit(file: Path) -> np.ndarray:
    pixels = read_photo(file, MAX_PIXELS).pixels
    if pixels.dtype != np.uint8:
        raise ImageError(f"{file} has 16 bits where training and measures take 8; convert it")
    return pixels
