"""Where the public data sets keep their images once unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from srdiff.errors import ImageError

from ..measure.pairs import Pair, image_files, pair_up

# Per split: folders of the true images and of the official inputs, of which the first that is there counts; {x} is the
# scale.
_TEST_SET = (("val", ("HR", "GTmod12", "."), ("LR_x{x}", "LR_bicubic/X{x}", "LRbicx{x}")),)
LAYOUTS = {
    "div2k": (
        ("train", ("DIV2K_train_HR",), ("DIV2K_train_LR_bicubic/X{x}",)),
        ("val", ("DIV2K_valid_HR",), ("DIV2K_valid_LR_bicubic/X{x}",)),
    ),
    "flickr2k": (("train", ("Flickr2K_HR",), ("Flickr2K_LR_bicubic/X{x}",)),),
    "set5": _TEST_SET,
    "set14": _TEST_SET,
    "bsd100": _TEST_SET,
    "urban100": _TEST_SET,
}
FOLDER = "folder"
DATASETS = ("div2k", "flickr2k", FOLDER, "set5", "set14", "bsd100", "urban100")


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    Attributes:
        name: ``train`` or ``val``.
        pairs: sorted by name, at least one.
        official: whether the inputs are the data set's own files; otherwise they are made by MATLAB bicubic.
    """

    name: str
    pairs: tuple[Pair, ...]
    official: bool


def find_splits(root: Path, dataset: str, scale: int) -> tuple[Split, ...]:
    """The splits of a data set that are in ``root``, or in a folder of the data set's name in it.

    Args:
        root: where the data set was unpacked; for ``folder``, the folder that holds the photos themselves.
        dataset: one of ``DATASETS``.
        scale: side of the true image over side of the input.

    Raises:
        ImageError: there is no such folder, or it does not hold the data set.
        OptionError: an image has no partner in the folder of inputs.
    """
    if not root.is_dir():
        raise ImageError(f"{root} is not a folder; name the one that holds the images with --root")
    if dataset == FOLDER:
        # Own photos may have any names: they are not matched with anything.
        pairs = tuple(Pair(file.name, file, None) for file in image_files(root))
        splits = [Split("train", pairs, official=False)] if pairs else []
        expected = "some image file"
    else:
        named = [entry for entry in sorted(root.iterdir()) if entry.is_dir() and entry.name.lower() == dataset]
        found = [_splits(base, dataset, scale) for base in (root, *named)]
        splits = next((splits for splits in found if splits), [])
        expected = " or ".join(f"a folder {hr[0]}" for _, hr, _ in LAYOUTS[dataset])
    if not splits:
        raise ImageError(f"{root} holds no images of {dataset}: {expected} was expected there; give another --root")
    return tuple(splits)


def _splits(base: Path, dataset: str, scale: int) -> list[Split]:
    found = []
    for name, hr_names, lr_names in LAYOUTS[dataset]:
        hr = next((base / hr for hr in hr_names if (base / hr).is_dir() and image_files(base / hr)), None)
        lr_folders = [base / lr.format(x=scale) for lr in lr_names]
        lr = next((folder for folder in lr_folders if folder.is_dir()), None)
        if hr is not None:
            found.append(Split(name, pair_up(hr, lr), official=lr is not None))
    return found
