"""Models by name: those that come with the package, and bundles by their path."""

from __future__ import annotations

from pathlib import Path

from .errors import BundleError

FOLDER = Path(__file__).parent / "models"
SUFFIX = ".srdiff"
DEFAULT_MODEL = FOLDER / ("small-v1" + SUFFIX)


def built_in() -> dict[str, Path]:
    """The folders of the models that come with the package, by name."""
    return {folder.stem: folder for folder in sorted(FOLDER.glob("*" + SUFFIX))}


def bundle_folder(model: Path | str | None = None) -> Path:
    """Where a model lies: a built-in model's name, or a bundle's folder; None is the default model.

    A folder of one's own goes before a built-in model of the same name.

    Raises:
        BundleError: neither a name nor a folder.
    """
    if model is None:
        return DEFAULT_MODEL
    folder, known = Path(model), built_in()
    if not folder.exists() and str(model) in known:
        return known[str(model)]
    if not folder.exists():
        raise BundleError(
            f"{model} is none of the built-in models, {', '.join(known)}, and no bundle, as it holds no manifest.json; "
            "give one of those names, or a folder made by srdiff-export"
        )
    return folder
