"""Models that are kept by name: bundles in one folder, checked before they get there. Nothing but files."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from .atomic_files import cannot_write
from .atomic_folders import staging
from .bundle import MANIFEST_NAME, Bundle
from .errors import BundleError, OptionError
from .looking import is_there
from .model_names import SUFFIX, added, built_in, models_folder

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Of a bundle from a zip; the card's own sizes take 60 MB.
MAX_BYTES = 4 << 30
MAX_FILES = 256


def add_bundle(source: Path, name: str | None = None) -> Bundle:
    """Copy a bundle into the models folder, every file checked against its hash.

    Args:
        source: a bundle's folder, or a zip of one, with its files at the top or in one folder.
        name: for ``--model``; the source's own where it is None.

    Raises:
        BundleError: no bundle, a damaged one, or a zip that holds anything else.
        OptionError: a name that is taken, or cannot be one.
        OutputError: the models folder cannot be written.
    """
    target = free_place(name_of(source.name) if name is None else name)
    if not source.exists():
        raise BundleError(f"{source} is not there; give a bundle's folder, or a zip of one")
    with staging(target) as folder:
        if source.is_dir():
            _copy(Bundle(source), folder)
        else:
            _unpack(source, folder)
        check_files(Bundle(folder))
        folder.rename(target)
    return Bundle(target)


def remove_bundle(name: str) -> list[str]:
    """Remove an added model; names what else lies in its folder, which stays.

    Raises:
        OptionError: there is no added model of this name.
        OutputError: its files cannot be removed.
    """
    folder = added().get(name)
    if folder is None:
        why = "comes with the package and stays" if name in built_in() else "was not added"
        raise OptionError(f"{name} {why}; choose one of {', '.join(added()) or 'none, as none was added'}")
    try:
        # The manifest goes first, since a folder without it is no model.
        names = [MANIFEST_NAME, *Bundle(folder).file_names]
        for file in names:
            (folder / file).unlink()
        left = sorted(path.name for path in folder.iterdir())
        if not left:
            folder.rmdir()
    except OSError as error:
        raise cannot_write(folder, error) from error
    return left


def check_files(bundle: Bundle) -> None:
    """Reads every file that a bundle's manifest lists; raises BundleError for one that was changed."""
    for name in bundle.file_names:
        bundle.read(name)
    bundle.time_bias()


def name_of(file: str) -> str:
    """What a file's or folder's name makes of a model's: ``big.srdiff.zip`` is ``big``."""
    for suffix in (".zip", SUFFIX):
        if file.endswith(suffix):
            file = file[: -len(suffix)]
    return file


def free_place(name: str) -> Path:
    """Where a model of this name will lie; raises OptionError where the name cannot be one, or is taken."""
    if not NAME.fullmatch(name):
        raise OptionError(f"name is {name!r}; a model's name has letters, digits, dots, - and _, and up to 64 of them")
    if name in built_in():
        raise OptionError(f"name is {name!r}, which is a built-in model's; choose another name")
    target = models_folder() / (name + SUFFIX)
    if is_there(target):
        raise OptionError(f"name is {name!r}, which is taken by {target}; choose another name, or remove that first")
    return target


def _copy(source: Bundle, folder: Path) -> None:
    try:
        for name in (MANIFEST_NAME, *source.file_names):
            shutil.copyfile(source.path / name, folder / name)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _unpack(file: Path, folder: Path) -> None:
    """The files of a bundle in a zip; nothing is written outside the folder, and not more than the zip says."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _require_plain(file, entries)
            for entry in entries:
                with archive.open(entry) as source, (folder / PurePosixPath(entry.filename).name).open("xb") as to:
                    shutil.copyfileobj(source, to)  # at most the size that the entry states
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BundleError(
            f"{file} is no zip that can be read: {error}; give a bundle's folder, or a zip of one"
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error


def _require_plain(file: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Raises BundleError for a zip of more than one flat folder of plain files, or for a huge one."""
    paths = [PurePosixPath(entry.filename) for entry in entries]
    folders = {path.parent for path in paths}
    top = folders.pop() if len(folders) == 1 else None
    links = [entry for entry in entries if stat.S_ISLNK(entry.external_attr >> 16)]
    if top is None or top.is_absolute() or len(top.parts) > 1 or ".." in top.parts or links:
        raise BundleError(f"{file} is no zip of one bundle: its files lie in {len(folders) + 1} folders or are links")
    if len({path.name for path in paths}) < len(paths):
        raise BundleError(f"{file} holds two files of one name; zip the bundle anew")
    if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise BundleError(f"{file} is larger than {MAX_FILES} files or {MAX_BYTES >> 30} GiB, which no bundle is")
