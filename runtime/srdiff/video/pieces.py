"""Finished pieces of a film in a hidden folder beside its target, so that a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Iterator

from ..atomic_files import atomic_file, cannot_write
from ..batch.pins import Pins, differences
from ..errors import OutputError
from ..unfinished_files import forget, new_name, remove_leftovers
from .coding import Coded

_PINS = "made-with.json"


class TakenError(OutputError):
    """The folder is another process's by now, or gone."""


def folder_of(target: Path) -> Path:
    """Where a film's pieces are kept: hidden, beside it."""
    final = target.resolve()
    return final.with_name(f".srdiff-film-{hashlib.sha256(os.fsencode(final.name)).hexdigest()[:16]}")


class Pieces:
    """The folder; a context manager, and while it is open no other process has it.

    Attributes:
        target: see below.
        folder: hidden, beside the target. It goes with :meth:`remove`, or where nothing is in it in the end.

    Args:
        target: of the whole film.
        pins: all that decides what the pieces hold, besides which frames they are of.
        anew: drop what was made with other pins.

    Raises:
        OutputError: another process makes the film, or pieces were made with other pins and are not to be dropped.
    """

    def __init__(self, target: Path, pins: Pins, anew: bool) -> None:
        self.folder = folder_of(target)
        self.target = target
        self._pins: Pins = json.loads(json.dumps(pins))
        self._anew = anew
        self._mark = new_name()

    def __enter__(self) -> Pieces:
        try:
            self._take()
        except BaseException as error:
            self._leave()
            if isinstance(error, OSError):
                raise cannot_write(self.folder, error) from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _take(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder)
        (self.folder / self._mark).touch()
        others = [path for path in self.folder.glob(".srdiff-*") if path.name != self._mark]
        if others:
            raise OutputError(
                f"another process makes {self.target}; wait for it, or if there is none remove {others[0]}"
            )
        self._agree()

    def _leave(self) -> None:
        # The mark goes after the pins, so that nobody who comes meanwhile takes them for its own, and rmdir, other than
        # rmtree, leaves the mark of whoever comes after that.
        with suppress(OSError):
            if {path.name for path in self.folder.iterdir()} <= {_PINS, self._mark}:
                (self.folder / _PINS).unlink()
        with suppress(OSError):
            (self.folder / self._mark).unlink()
        forget(self._mark)
        with suppress(OSError):  # pieces, or another process's mark
            self.folder.rmdir()

    def stay(self) -> None:
        """Say that somebody is at work here, which other machines know by the time of the mark.

        Raises:
            TakenError: the mark is gone, so another process may be at work here.
        """
        try:
            os.utime(str(self.folder / self._mark))
        except FileNotFoundError as error:
            raise TakenError(
                f"{self.folder} was removed or taken over while {self.target} was made; run the same again, and one "
                "process at a time"
            ) from error
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def _agree(self) -> None:
        file = self.folder / _PINS
        if not file.exists():
            with atomic_file(file) as temporary:
                temporary.write_text(json.dumps(self._pins, indent=1) + "\n", encoding="utf-8")
            return
        try:
            pins = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            pins = None
        if pins == self._pins:
            return
        if not self._anew:
            others = differences(pins, self._pins) if isinstance(pins, dict) else "settings that cannot be read"
            raise OutputError(
                f"{self.target} was begun with {others}; go on with the same, or begin anew with overwrite"
            )
        for path in self.folder.iterdir():
            if path.name != self._mark:
                path.unlink()
        self._agree()

    def has(self, number: int, times: list[int]) -> bool:
        """Whether a piece is there, whole, of the frames of these times."""
        with suppress(OSError, ValueError, KeyError, TypeError), self._file(number).open("rb") as file:
            head = json.loads(file.readline())
            end = file.tell() + sum(size for _, _, size in head["packets"])
            return bool(head["times"] == times and file.seek(0, os.SEEK_END) == end)
        return False

    def put(self, number: int, times: list[int], packets: list[Coded]) -> None:
        """Keep a piece: a line of JSON, and the packets' bytes."""
        self.stay()
        rows = [[packet.time, packet.key, len(packet.data)] for packet in packets]
        with atomic_file(self._file(number)) as temporary, temporary.open("wb") as file:
            file.write(json.dumps({"times": times, "packets": rows}).encode() + b"\n")
            file.writelines(packet.data for packet in packets)

    def times(self, number: int) -> list[int]:
        """Of a piece's packets, in decoding order."""
        with self._file(number).open("rb") as file:
            return [time for time, _, _ in json.loads(file.readline())["packets"]]

    def packets(self, number: int) -> Iterator[Coded]:
        with self._file(number).open("rb") as file:
            for time, key, size in json.loads(file.readline())["packets"]:
                yield Coded(file.read(size), time, key)

    def remove(self) -> None:
        """All of them; the film is whole."""
        for path in self.folder.iterdir():
            if path.name != self._mark:
                path.unlink()

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06}.piece"
