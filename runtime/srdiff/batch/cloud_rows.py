"""Which rows a list of URLs and paths stands for: never onto an input, never two onto one another."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..errors import ImageError, OptionError, OutputError, SRDiffError
from ..jobs.sources import LEDGER_STEM, find_sources, is_url
from ..jobs.targets import DEFAULT_FORMAT, finished
from ..jobs.work import JobSettings
from ..photo.formats import readable_suffixes
from ..photo.write import FORMATS, format_of
from .actor import Row
from .cloud import Place, because


@dataclass(frozen=True)
class _Image:
    """``name`` is a URL or an absolute path; ``key`` is what it is called in its folder."""

    name: str
    key: str
    folder: str


def rows_of(images: list[str], output: str | None, settings: JobSettings, suffix: str) -> list[Row]:
    """A row for each image of files and folders here and at URLs; see :func:`srdiff.ray.upscale`.

    Args:
        output: a folder, or a single image's file; here or at a URL.
        suffix: of names that are results beside inputs here, which are left out.

    Raises:
        OptionError: no output is named, or it is the folder of an input.
        ImageError: a folder holds no image, or cannot be listed.
        PackageError: fsspec, or what it needs for such a URL, is not installed.
    """
    if output is None:
        raise OptionError("images at URLs have no folder beside them; name one as output")
    found = [image for name in images for image in _found(name, suffix)]
    folder, names, format = _targets(found, output)
    if any(_same(image.folder) == _same(folder) for image in found):
        raise OptionError(f"output {folder} is the folder of the inputs; choose another")
    inputs = {_same(image.name) for image in found}
    often = Counter(name.lower() for name in names)
    there = _names_in(folder)
    rows = []
    for image, name in zip(found, names):
        results = [_joined(folder, str(target)) for target in settings.wanted.targets(Path(name))]
        problem: SRDiffError | None = None
        if any(_same(result) in inputs for result in results):
            problem = OutputError(f"the result of {image.name} would replace an input; choose another output")
        elif often[name.lower()] > 1:
            problem = OutputError(
                f"{image.name} and another input would both become {_joined(folder, name)}; enlarge them apart"
            )
        detail = {
            "format": format,
            "frame": None,
            "folder": folder,
            "overwrite": settings.overwrite,
            "there": [result for result in results if result.rpartition("/")[2] in there],
            "origins": [],
            "problem": problem and [type(problem).__name__, str(problem)],
        }
        target = _joined(folder, name)
        rows.append({"key": image.key, "input": image.name, "output": target, "detail": json.dumps(detail)})
    return rows


def _found(name: str, suffix: str) -> list[_Image]:
    if not is_url(name):
        sources = find_sources([name], suffix).sources
        paths = [os.path.abspath(str(source.path)) for source in sources]  # noqa: PTH100  # links keep their name
        return [_Image(path, Path(path).name if len(paths) > 1 else name, str(Path(path).parent)) for path in paths]
    place, folder, readable = Place.of(name), _trimmed(name), readable_suffixes()
    try:
        if Path(name).suffix.lower() in readable or not place.files.isdir(place.path):
            return [_Image(name, name, folder.rpartition("/")[0])]
        place.files.invalidate_cache()
        entries = place.files.ls(place.path, detail=True)
    except Exception as error:  # each store has its own
        raise ImageError(
            f"{name} cannot be looked into {because(error, 'give a file or folder that you may read')}"
        ) from error
    files = sorted(str(entry["name"]).rpartition("/")[2] for entry in entries if entry["type"] == "file")
    images = [
        _Image(f"{folder}/{file}", file, folder)
        for file in files
        if Path(file).suffix.lower() in readable and not file.startswith((".", LEDGER_STEM))
    ]
    if not images:
        raise ImageError(f"{name} holds no image that is read here; give a folder with some, or a file")
    return images


def _targets(found: list[_Image], output: str) -> tuple[str, list[str], str]:
    """The folder of the results, their names, and their format."""
    if len(found) == 1 and not output.endswith("/"):
        try:
            format = format_of(output)
        except OptionError:
            pass
        else:
            whole = output if is_url(output) else Path(os.path.abspath(output)).as_posix()  # noqa: PTH100
            folder, _, name = whole.rpartition("/")
            return folder, [name], format
    folder = _trimmed(output) if is_url(output) else os.path.abspath(output)  # noqa: PTH100
    ending = FORMATS[DEFAULT_FORMAT][0]
    files = [Path(image.name).name for image in found]
    often = Counter(Path(file).stem.lower() for file in files)
    names = [(Path(file).stem if often[Path(file).stem.lower()] == 1 else file) + ending for file in files]
    return folder, names, DEFAULT_FORMAT


def _names_in(folder: str) -> set[str]:
    """What is in the folder of the results already."""
    if not is_url(folder):
        return {path.name for path in Path(folder).iterdir() if finished(path)} if Path(folder).is_dir() else set()
    place = Place.of(folder)
    try:
        place.files.invalidate_cache()
        return {str(name).rstrip("/").rpartition("/")[2] for name in place.files.ls(place.path, detail=False)}
    except FileNotFoundError:
        return set()
    except Exception as error:
        raise OutputError(f"{folder} cannot be looked into {because(error, 'choose another output')}") from error


def _trimmed(url: str) -> str:
    """Without the slashes at its end, save those of ``://``."""
    scheme, mark, path = url.rpartition("://")
    return scheme + mark + path.rstrip("/")


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if is_url(folder) else str(Path(folder) / name)


def _same(name: str) -> str:
    """What a file or folder is called whatever way it is written."""
    if not is_url(name):
        return os.path.normcase(os.path.realpath(name))  # of what need not be there
    place = Place.of(name)
    return f"{place.scheme}://{place.path.rstrip('/')}"
