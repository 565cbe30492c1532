"""Images at URLs, such as S3's (extra ``cloud``): what fsspec reaches is fetched, made here, and put there whole."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator

from .. import errors
from ..atomic_files import cannot_write
from ..errors import ImageError, OutputError, PackageError, SRDiffError, one_line
from ..jobs.sources import Source, is_url
from ..jobs.targets import Job
from ..jobs.work import DONE, FAILED, SKIPPED, JobSettings, Outcome
from ..unfinished_files import forget, new_name, remove_leftovers
from .actor import Row, told
from .entry import Entry, FileRecord
from .referee import Referee

# Where a file appears when all of it is there; elsewhere it gets its name by a rename.
_OBJECT_STORES = frozenset(["s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci", "memory"])
# What a disk of this machine says, and no store that is read from.
_NO_SPACE = frozenset([errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
# Files of a block that are under way at once.
_AT_ONCE = 8


def here(name: Path | str) -> Path | str:
    """A URL of this machine's files as their path; anything else as it is."""
    place = Place.of(str(name)) if is_url(name) else None
    return Path(place.path) if place is not None and place.scheme in ("file", "local") else name


@dataclass(frozen=True)
class Place:
    """A file or folder that a file system of fsspec's has."""

    files: Any
    path: str
    url: str

    @classmethod
    def of(cls, url: str) -> Place:
        """Raises PackageError where a package is missing, ImageError where there is no such file system."""
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise PackageError(f"{url} needs {error.name}; install the extra srdiff[cloud]") from error
        try:
            files, path = url_to_fs(url)
        except ImportError as error:
            raise PackageError(f"{url} needs another package ({one_line(error)}); install it beside fsspec") from error
        except Exception as error:
            raise ImageError(f"{url} cannot be reached ({one_line(error)}); give a URL that fsspec knows") from error
        return cls(files, str(path), url)

    @property
    def scheme(self) -> str:
        named = self.files.protocol
        return str(named if isinstance(named, str) else named[0])

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    def beside(self, name: str) -> Place:
        """A file of another name in the same folder."""
        path, url = (text.rpartition("/")[0] + "/" + name for text in (self.path, self.url))
        return replace(self, path=path, url=url)

    def exists(self) -> bool:
        """Raises OutputError where that cannot be told, which the file systems' own ``exists`` takes for a no."""
        try:
            self.files.invalidate_cache()
            self.files.info(self.path)
        except FileNotFoundError:
            return False
        except Exception as error:
            raise OutputError(f"{self.url} cannot be written {because(error, 'choose another output')}") from error
        return True

    def fetch(self, target: Path) -> None:
        """Raises ImageError, or OutputError where the target cannot be written."""
        _make_folder(target.parent)
        try:
            self.files.get_file(self.path, str(target))
        except Exception as error:  # each store has its own
            if isinstance(error, OSError) and error.errno in _NO_SPACE:
                raise cannot_write(target.parent, error) from error
            told = FileNotFoundError("there is none") if isinstance(error, FileNotFoundError) else error
            why = because(told, "give an image file that you may read")
            raise ImageError(f"{self.url} cannot be opened {why}") from error

    def put(self, source: Path, overwrite: bool) -> None:
        """A file's content under this name, whole or not at all.

        Raises:
            OutputError: there is one already, or the store refuses.
        """
        if not overwrite and self.exists():
            raise OutputError(f"{self.url} was made by another meanwhile and is kept; move it away to have it made")
        whole = self if self.scheme in _OBJECT_STORES else self.beside(new_name(source.suffix))
        try:
            if whole is not self:
                self.files.makedirs(self.path.rpartition("/")[0], exist_ok=True)
            try:
                whole.files.put_file(str(source), whole.path)
                if whole is not self:
                    self.files.mv(whole.path, self.path)
            finally:
                if whole is not self:
                    forget(whole.path.rpartition("/")[2])
                    if self.files.exists(whole.path):
                        self.files.rm(whole.path)
        except Exception as error:
            raise OutputError(f"{self.url} cannot be written {because(error, 'choose another output')}") from error


def because(error: Exception, advice: str) -> str:
    """A store's own words, and what to do: what is neither a name nor a right that is missing may pass by itself."""
    kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
    again = "" if isinstance(error, (FileNotFoundError, PermissionError)) else "run once more, or "
    return f"({kind}{one_line(error)}); {again}{advice}"


def made_here(
    rows: list[Row], settings: JobSettings, referee: Referee, make: Callable[[list[Row]], Iterator[Row]]
) -> Iterator[Row]:
    """What :class:`srdiff.batch.actor.Worker` makes of rows some of whose paths are URLs.

    The inputs are fetched side by side, and results put while others are made.

    Args:
        referee: of the batch; told what is about to be put.
        make: gets rows with paths of this machine, and gives theirs in any order.
    """
    with _own_folder() as folder, ThreadPoolExecutor(_AT_ONCE) as pool:
        places = [folder / str(number) for number in range(len(rows))]
        errands = list(pool.map(partial(_Errand, settings=settings, referee=referee), rows, places))
        open_ones = {errand.row["output"]: errand for errand in errands if errand.told is None}
        putting = [
            pool.submit(open_ones[made["output"]].finish, made)
            for made in (make([errand.row for errand in open_ones.values()]) if open_ones else ())
        ]
        yield from (errand.told for errand in errands if errand.told is not None)
        yield from (future.result() for future in putting)


class _Errand:
    """A row whose files are here for a while.

    Attributes:
        row: with paths of this machine, and the output's own as its ``name``.
        told: what came of it without any work; None where it is to be made.
    """

    def __init__(self, row: Row, folder: Path, settings: JobSettings, referee: Referee) -> None:
        self.row = dict(row)
        self._referee = referee
        self.told: Row | None = None
        self._asked = row
        self._detail: dict[str, Any] = json.loads(row["detail"]) if row.get("detail") else {}
        self._overwrite = bool(self._detail.get("overwrite", settings.overwrite))
        self._names: dict[str, str] = {}  # URLs by what they are called here
        self._results: dict[str, Place] = {}
        self._kept: list[str] = []
        try:
            self._prepare(folder, settings)
        except SRDiffError as error:
            self.told = self._as_row(FAILED, error)

    def _prepare(self, folder: Path, settings: JobSettings) -> None:
        if self._detail.get("problem"):
            name, text = self._detail["problem"]
            raise getattr(errors, name)(text)
        source, target = str(self._asked["input"]), str(self._asked["output"])
        self.row["name"] = target
        image = Place.of(source) if is_url(source) else None
        if is_url(target):
            self._prepare_results(Place.of(target), image, folder / "out", settings)
        if self.told is None and image is not None:
            self.row["input"] = str(folder / "in" / image.name)
            self._names[self.row["input"]] = source
            image.fetch(Path(self.row["input"]))

    def _prepare_results(self, target: Place, image: Place | None, folder: Path, settings: JobSettings) -> None:
        _make_folder(folder)
        self.row["output"] = str(folder / target.name)
        if self._detail:
            self.row["detail"] = json.dumps({**self._detail, "folder": str(folder), "there": []})
        for result in settings.wanted.targets(folder / target.name):
            assert result is not None
            place = target.beside(result.name)
            if image is not None and (place.scheme, place.path) == (image.scheme, image.path):
                raise OutputError(f"the result of {image.url} would replace it; choose another output")
            self._results[str(result)] = place
            self._names[str(result)] = place.url
            if not self._overwrite and place.exists():
                self._kept.append(place.url)
        if len(self._kept) == len(self._results):
            self.told = self._as_row(SKIPPED)

    def finish(self, made: Row) -> Row:
        """Put the results where they belong; what came of it."""
        try:
            for result in json.loads(made["detail"])["written"]:
                place = self._results.get(result)
                if place is not None and place.url not in self._kept:
                    self._referee.promise(Entry(place.url, DONE, outputs=(_at(place.url),)))
                    place.put(Path(result), self._overwrite)
        except OutputError as error:
            return self._as_row(FAILED, error)
        return self._as_row(made["status"], None, made)

    def _as_row(self, status: str, error: SRDiffError | None = None, made: Row | None = None) -> Row:
        """With the names that were asked for."""
        before = self._detail.get("there")
        new = [url for url in self._kept if before is not None and url not in before]
        left = [url for url in new if self._referee.promised(_at(url))]  # by a worker that died
        job = Job(Source(None), None, "", key=str(self._asked.get("key") or self._asked["input"]))
        row = told(Outcome(job, status, error=error), None) if made is None else dict(made)
        detail = json.loads(row["detail"])
        written = [self._names.get(path, path) for path in detail["written"]]
        detail["kept"] = [self._names.get(path, path) for path in detail["kept"]]
        detail["kept"] += [url for url in self._kept if url not in left]
        detail["written"] = [url for url in written if url not in detail["kept"] and url not in left] + left
        detail["entry"] = None
        for here, url in self._names.items():
            row["error"] = row["error"].replace(here, url)
        row["status"] = DONE if left and row["status"] == SKIPPED else row["status"]
        return {**row, "input": self._asked["input"], "output": self._asked["output"], "detail": json.dumps(detail)}


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Of this machine, for a while, and made with the first file in it; one that a killed process left goes with the
    next."""
    try:
        among = Path(tempfile.gettempdir())
    except FileNotFoundError:  # nothing can be written in any, which the first file there tells
        among = Path.cwd()
    remove_leftovers(among)
    folder = among / new_name()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        forget(folder.name)


def _at(url: str) -> FileRecord:
    """A result there, whatever its content: to compare that it would have to be fetched."""
    return FileRecord(url, None, 0, 0)


def _make_folder(folder: Path) -> None:
    """Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
