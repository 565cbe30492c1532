"""Which images a list of files and folders stands for."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Iterable, Iterator

from ..errors import ImageError, OptionError, SRDiffError
from ..looking import is_file, is_folder
from ..photo.formats import readable_suffixes, unread_kind
from ..photo.read import count_frames
from .identity import Identity, identity, named

STREAM = "-"
# What batches write beside their results.
LEDGER_STEM, LEDGER_SUFFIX = "srdiff-ledger", ".jsonl"
# Of a ledger's line, what is read at most.
_LINE_BYTES = 1 << 16


@dataclass(frozen=True)
class Source:
    """One image to read.

    Attributes:
        path: None is standard input.
        folder: that was asked for and in which it was found; None for a file that was named itself.
        frame: of several, from 0; None takes the first, however many there are.
    """

    path: Path | None
    folder: Path | None = None
    frame: int | None = None

    @property
    def name(self) -> str:
        return "standard input" if self.path is None else str(self.path)


@dataclass
class Found:
    """What came of looking.

    Attributes:
        sources: the images, those of a folder in the order of their names.
        results: files that are this tool's own results, and so are not read.
        left_out: how many entries of folders are not read, by kind: ``HEIC``, ``camera raw``, ``folder``, …
        closed: folders in folders that cannot be looked into.
    """

    sources: list[Source] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    closed: list[Path] = field(default_factory=list)


def is_url(name: Path | str) -> bool:
    """Whether it is ``scheme://…``, chains of fsspec's such as ``simplecache::s3://…`` included."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.:-]+://", str(name)) is not None


def require_path(what: str, name: Path | str, kind: str = "a file or a folder") -> None:
    """Raises OptionError for what ``Path`` would take for a folder: the empty word for the current one, and a URL."""
    if not str(name):
        raise OptionError(f"{what} is empty; name {kind}")
    if is_url(name):
        raise OptionError(f"{name} is a URL, which is neither read nor written here; name {kind}")


def find_sources(
    inputs: Iterable[str],
    suffix: str,
    recursive: bool = False,
    all_frames: bool = False,
    output: str | None = None,
) -> Found:
    """The images that files, folders and ``-`` (standard input) stand for, each once.

    Args:
        suffix: that results have at the end of their names, like ``_x4``. ``p_x4.png`` is a result where some ``p.*``
            of the same folder is among the images; alone it is an image. So is what a ledger in a folder below says
            was made of images in the folder that is looked through, and in p_x4 beside p, what it says was made.
        recursive: take folders in folders, too; links to folders are not followed.
        all_frames: take every frame or page of a file that has several, as sources of their own.
        output: where results go; what lies there, in a folder that is looked through, is a result.

    Raises:
        ImageError: a folder that is named cannot be read or holds no image.
        OptionError: an input is empty or a URL, or all frames are wanted of standard input, which can be read only
            once.
    """
    found = Found()
    look = _Look(found, recursive, suffix, None if output is None else identity(Path(output)))
    place = lru_cache(maxsize=None)(identity)  # of folders, of which many files are
    seen = set()
    for text in inputs:
        for source in look.named(text):
            spelled = None if source.path is None else (place(source.path.parent), source.path.name)
            if spelled not in seen:
                seen.add(spelled)
                found.sources.append(source)
    paths = [source.path for source in found.sources if source.path is not None]
    stems = {(place(path.parent), name) for path in paths for name in (path.stem, path.name)}
    pattern = re.compile(rf"(.+){re.escape(suffix)}(_f\d+)?(_\d+|_uncertainty)?") if suffix else None

    def is_result(path: Path | None) -> bool:
        match = pattern.fullmatch(path.stem) if pattern and path is not None else None
        return match is not None and path is not None and (place(path.parent), match.group(1)) in stems

    found.results += [source.path for source in found.sources if source.path is not None and is_result(source.path)]
    found.sources = [source for source in found.sources if not is_result(source.path)]
    if all_frames:
        found.sources = [frame for source in found.sources for frame in _frames(source)]
    return found


def _frames(source: Source) -> list[Source]:
    """The source itself where it has one frame; or cannot be read, which is told when its turn comes."""
    if source.path is None:
        raise OptionError("all frames are wanted of standard input, which is read once; give a file")
    try:
        count = count_frames(source.path)
    except SRDiffError:
        count = 1
    return [source] if count == 1 else [replace(source, frame=frame) for frame in range(count)]


@dataclass(frozen=True)
class _Look:
    """Looks into folders.

    Attributes:
        found: notes what of them is not read.
        output: of the results.
        recursive, suffix: see :func:`find_sources`.
        root: the folder that was named, without links.
        results: that ledgers on the way have.
    """

    found: Found
    recursive: bool
    suffix: str
    output: Identity | None
    root: Path = Path()
    results: frozenset[Path] = frozenset()

    def named(self, text: str) -> list[Source]:
        """What one argument stands for."""
        if text == STREAM:
            return [Source(None)]
        require_path("an input", text)
        path = Path(text)
        try:
            if not path.is_dir():
                return [Source(path)]
            files = replace(self, root=path.resolve())._files(path)
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a circle of links, before Python 3.13
            reason = getattr(error, "strerror", None) or error
            raise ImageError(
                f"{text} cannot be looked into ({reason}); give a file or folder that you may read"
            ) from error
        if not files:
            counts = {
                **self.found.left_out,
                "result of earlier runs": len(self.found.results),
                "folder that cannot be looked into": len(self.found.closed),
            }
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()) if count)
            but = f" that is read here, but {kinds}" if kinds else ""
            raise ImageError(f"{path} holds no image{but}; give a folder with some, or a file")
        return [Source(file, path) for file in files]

    def _files(self, folder: Path) -> list[Path]:
        """The images in a folder; what else is there is noted."""
        readable, left_out = readable_suffixes(), self.found.left_out
        files = []
        for entry in sorted(folder.iterdir()):
            if entry.name.startswith(".") or (entry.name.startswith(LEDGER_STEM) and entry.suffix == LEDGER_SUFFIX):
                continue
            if entry.is_dir():
                if not self.recursive or entry.is_symlink():
                    left_out["folder"] += 1
                elif identity(entry) == self.output:
                    self.found.results += replace(self, found=Found())._within(entry)
                else:
                    files += replace(self, results=self.results | self._results_in(entry))._within(entry)
            elif entry.is_symlink() and not entry.exists():
                left_out["broken link"] += 1
            elif not entry.is_file():
                left_out["device or pipe"] += 1  # reading one could wait for ever
            elif entry.suffix.lower() in readable:
                (self.found.results if entry in self.results else files).append(entry)
            else:
                left_out[unread_kind(entry) or "other"] += 1
        return files

    def _within(self, folder: Path) -> list[Path]:
        """As :meth:`_files`, of a folder that nobody named: one that is closed, or goes meanwhile, costs no other."""
        try:
            return self._files(folder)
        except OSError:
            self.found.closed.append(folder)
            return []

    def _results_in(self, folder: Path) -> set[Path]:
        """What ledgers there say was made from below the root, or made at all where the folder of that name is beside
        it, wherever both lay then."""
        beside = folder.name[: -len(self.suffix)] if self.suffix and folder.name.endswith(self.suffix) else ""
        moved = bool(beside) and is_folder(folder.parent / beside)

        @lru_cache(maxsize=None)
        def is_below(name: str) -> bool:
            return self.root in (Path(name), *Path(name).parents)

        results = set()
        for ledger in sorted(folder.glob(f"{LEDGER_STEM}*{LEDGER_SUFFIX}")):
            for source_folder, result, found in _noted_in(ledger) if is_file(ledger) else ():
                if found:
                    results.discard(folder / result)
                elif moved or is_below(source_folder):
                    results.add(folder / result)
        return results


def _noted_in(ledger: Path) -> Iterator[tuple[str, str, bool]]:
    """Of each result: the folder of what it was made of, its own path, and whether it was there before."""
    with suppress(OSError), ledger.open("rb") as file:
        for line in iter(lambda: file.readline(_LINE_BYTES), b""):
            with suppress(ValueError, RecursionError, TypeError, KeyError, AttributeError):
                data = json.loads(line.decode("utf-8-sig"))
                entry = data.get("promise", data)
                for output in entry.get("outputs", ()):
                    yield named(entry.get("folder", "")), named(output["path"]), bool(output.get("found"))
