"""Models by name: those that come with the package, those kept in the models folder, and bundles by their path."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import BundleError
from .looking import is_there

FOLDER = Path(__file__).parent / "models"
SUFFIX = ".srdiff"
DEFAULT_MODEL = FOLDER / ("photo" + SUFFIX)
# A built-in model of many steps, which takes any sampler: for whoever asks a student for one.
MANY_STEPS = "small-v1"
VARIABLE = "SRDIFF_MODELS"


def built_in() -> dict[str, Path]:
    """The folders of the models that come with the package, by name."""
    return _models_in(FOLDER)


def models_folder() -> Path:
    """Where added models are kept: ``$SRDIFF_MODELS``, or ``srdiff/models`` in the user's data folder."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111 (Path's raises without a home)
    return Path(data) / "srdiff" / "models"


def added() -> dict[str, Path]:
    """The folders of the models that were added, by name; none where the models folder cannot be read."""
    try:
        return _models_in(models_folder())
    except OSError:
        return {}


def bundle_folder(model: Path | str | None = None) -> Path:
    """Where a model lies: a model's name, or a bundle's folder; None is the default model.

    A folder of one's own goes before a model of the same name, and a built-in model before an added one.

    Raises:
        BundleError: neither a name nor a folder.
    """
    if model is None:
        return DEFAULT_MODEL
    if str(model) and is_there(model):  # Path takes the empty word for the current folder
        return Path(model)
    known = {**added(), **built_in()}
    if not str(model):
        raise BundleError(f"model is empty; give one of {', '.join(known)}, or a folder made by srdiff-export")
    if str(model) in known:
        return known[str(model)]
    why = "holds no manifest.json"
    try:
        Path(model).stat()
    except (OSError, ValueError) as error:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            why = f"cannot be looked into ({getattr(error, 'strerror', None) or error})"
    raise BundleError(
        f"{model} is none of the models here, {', '.join(known)}, and no bundle, as it {why}; "
        "give one of those names, or a folder made by srdiff-export"
    )


def _models_in(folder: Path) -> dict[str, Path]:
    return {bundle.stem: bundle for bundle in sorted(folder.glob(f"[!.]*{SUFFIX}"))}
