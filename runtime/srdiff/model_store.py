"""Models that are kept by name: bundles in one folder, checked before they get there. Nothing but files."""

from __future__ import annotations

import json
import os
import re
import stat
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Iterator

from .atomic_files import cannot_write
from .atomic_folders import staging
from .bundle import MANIFEST_NAME, MAX_BUNDLE, MAX_MANIFEST, Bundle, is_plain
from .errors import BundleError, OptionError, one_line
from .looking import is_folder
from .model_names import SUFFIX, added, built_in, models_folder

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_FILES = 256  # of a bundle from a zip
_CHUNK = 1 << 20


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
    name = name_of(source.name) if name is None else name
    target = free_place(name)
    if not os.path.exists(str(source)):  # noqa: PTH110  # Path's raises for a name that is too long
        raise BundleError(f"{source} is not there; give a bundle's folder, or a zip of one")
    with staging(target) as folder:
        try:
            if source.is_dir():
                _copy(Bundle(source), folder)
            else:
                _unpack(source, folder)
            check_files(Bundle(folder))
        except BundleError as error:  # whoever reads it finds no staging folder any more
            raise BundleError(str(error).replace(str(folder), str(source))) from error
        free_place(name)  # another process may have it by now
        with suppress(FileNotFoundError):
            target.rmdir()
        folder.rename(target)
    return Bundle(target)


def remove_bundle(name: str) -> list[str]:
    """Remove an added model, damaged or not; names what else lies in its folder, which stays. Of a link the link goes,
    and nothing behind it.

    Raises:
        BundleError: nothing says which files are the model's.
        OptionError: there is no added model of this name.
        OutputError: its files cannot be removed.
    """
    folder = added().get(name)
    if folder is None:
        why = "comes with the package and stays" if name in built_in() else "was not added"
        raise OptionError(f"{name} {why}; choose one of {', '.join(added()) or 'none, as none was added'}")
    try:
        if folder.is_symlink():
            folder.unlink()
            return []
        for file in _own_files(folder):
            with suppress(FileNotFoundError):
                file.unlink()
        left = sorted(path.name for path in folder.iterdir())
        if not left:
            folder.rmdir()
    except OSError as error:
        raise cannot_write(folder, error) from error
    return left


def _own_files(folder: Path) -> list[Path]:
    """What a manifest says is its model's, as far as it lies in the folder; the manifest last, so that a removal that
    was cut off can be done again. Raises BundleError, and OSError where the folder cannot be read."""
    if not folder.is_dir():
        raise BundleError(f"{folder} is no folder, as a model's is; move it away, or delete it")
    if not any(folder.iterdir()):
        return []
    manifest = folder / MANIFEST_NAME
    try:
        if manifest.stat().st_size > MAX_MANIFEST:
            raise ValueError(f"it is larger than {MAX_MANIFEST >> 20} MiB")
        names = json.loads(manifest.read_bytes().decode())["files"].keys()
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else one_line(error)
        raise BundleError(
            f"{manifest} does not say which files are the model's ({reason}); move {folder} away, or delete it"
        ) from error
    inner = [folder / name for name in names if name != MANIFEST_NAME and is_plain(name)]
    return [*(file for file in inner if file.is_symlink() or not file.is_dir()), manifest]


def check_files(bundle: Bundle) -> None:
    """Reads every file that a bundle's manifest lists; raises BundleError for one that was changed."""
    try:
        for name in bundle.file_names:
            bundle.read(name)
        bundle.time_bias()
    except OSError as error:
        raise BundleError(
            f"{error.filename or bundle.path} cannot be read ({error.strerror or error}); copy the bundle again"
        ) from error


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
    if _is_taken(target):
        raise OptionError(f"name is {name!r}, which is taken by {target}; choose another name, or remove that first")
    return target


def _is_taken(place: Path) -> bool:
    """An empty folder is free; a link that leads nowhere is not, nor a folder that may not be looked into."""
    name = str(place)
    if os.path.islink(name) or not is_folder(place):  # noqa: PTH114  # Path's raises where it may not be known
        return os.path.lexists(name)
    try:
        return any(place.iterdir())
    except OSError:
        return True


def _copy(source: Bundle, folder: Path) -> None:
    for name in (MANIFEST_NAME, *source.file_names):
        what = f"{source.path / name} cannot be read"
        with _reading(what):
            stream = (source.path / name).open("rb")
        with stream:
            _write(folder / name, stream, what)


def _unpack(file: Path, folder: Path) -> None:
    """The files of a bundle in a zip; nothing is written outside the folder, and not more than the zip says."""
    what = f"{file} is no zip that can be read"
    with _reading(what):
        archive = zipfile.ZipFile(str(file))
    with archive:
        # Not is_dir(), which fails for an empty name.
        entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
        _require_plain(file, entries)
        for entry in entries:
            with _reading(what):
                stream = archive.open(entry)
            with stream:
                _write(folder / PurePosixPath(entry.filename).name, stream, what)


def _write(target: Path, stream: IO[bytes], what: str) -> None:
    """All that a stream holds, of a zip at most what its entry states. Raises BundleError for what cannot be read, and
    OSError for what cannot be written."""
    with target.open("xb") as to:
        while True:
            with _reading(what):
                chunk = stream.read(_CHUNK)
            if not chunk:
                return
            to.write(chunk)


@contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each decompressor has its own
        raise BundleError(f"{what}: {one_line(error)}; give a bundle's folder, or a zip of one") from error


def _require_plain(file: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Raises BundleError for a zip of more than one flat folder of plain files, or for a huge one."""
    paths = [PurePosixPath(entry.filename) for entry in entries]
    folders = {path.parent for path in paths}
    top = folders.pop() if len(folders) == 1 else None
    links = [entry for entry in entries if stat.S_ISLNK(entry.external_attr >> 16)]
    if top is None or top.is_absolute() or len(top.parts) > 1 or ".." in top.parts or links:
        raise BundleError(
            f"{file} is no zip of one bundle: its files lie in {len(folders) + 1} folders or are links; zip the bundle "
            "anew"
        )
    odd = [path.name for path in paths if not is_plain(path.name)]
    if odd:
        raise BundleError(f"{file} holds a file named {odd[0]!r}, which leads out of its folder; do not use it")
    if len({path.name for path in paths}) < len(paths):
        raise BundleError(f"{file} holds two files of one name; zip the bundle anew")
    if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_BUNDLE:
        raise BundleError(
            f"{file} is larger than {MAX_FILES} files or {MAX_BUNDLE >> 30} GiB, which no bundle is; do not use it"
        )
