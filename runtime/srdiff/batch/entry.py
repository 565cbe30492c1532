"""What a ledger says of an image and of a file, as a line has it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from ..jobs.identity import named
from ..jobs.work import DONE, FAILED

# Seconds since 1970 that no clock says, and up to which ticks can be told apart.
_NEVER = 1e11
_PATHS = frozenset(("key", "folder", "path"))
# What a line has under a name.
_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys((*_PATHS, "status", "settings", "error"), str),
    **dict.fromkeys(("seed", "size", "mtime_ns"), int),
    **dict.fromkeys(("seconds", "finished"), (int, float)),
    "sha256": (str, type(None)),
    "found": bool,
}


@dataclass(frozen=True)
class FileRecord:
    """A file as it was.

    Attributes:
        path: of a result, relative to the ledger's folder where it lies within; empty for an input, which the entry's
            key names. Spelled, as keys and folders are, by :func:`srdiff.jobs.identity.noted`.
        sha256: hexadecimal; None of an input that could not be read, or that changed meanwhile.
        size, mtime_ns: in bytes and nanoseconds; who has both is taken for unchanged without reading it.
        found: a result that was there before, and so may be somebody's own.
    """

    path: str
    sha256: str | None
    size: int
    mtime_ns: int
    found: bool = False

    @classmethod
    def from_data(cls, data: Any) -> FileRecord:
        """Raises TypeError or ValueError for what is no record."""
        return cls(**_checked(data))


@dataclass(frozen=True)
class Entry:
    """What came of one image, the last time it was tried.

    Attributes:
        key: what the image is called in its batch, whatever machine reads it.
        status: ``done`` or ``failed``.
        input: what the outputs were made of, or what failed; None where there is no such file.
        outputs: the results, all there; none of a failure, which leaves those of before.
        settings: fingerprint of the pins they were made with; None where all were found.
        seed: of the noise.
        seconds: of work.
        error: of a failure, one sentence.
        finished: seconds since 1970, and within a ledger later than what it says of the key and its results before,
            whatever the clock says; of two ledgers' entries the later counts.
        folder: of the input, without links; a file of the same key in another folder is another image. None of entries
            that do not say.
    """

    key: str
    status: str
    input: FileRecord | None = None
    outputs: tuple[FileRecord, ...] = ()
    settings: str | None = None
    seed: int = 0
    seconds: float = 0.0
    error: str | None = None
    finished: float = field(default_factory=time.time)
    folder: str | None = None

    def to_line(self) -> bytes:
        return json.dumps(self.as_data()).encode() + b"\n"

    def as_data(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}

    @classmethod
    def from_data(cls, data: Any) -> Entry:
        """Raises KeyError, TypeError or ValueError for what is no entry."""
        values = {name: value for name, value in _checked(data).items() if name in cls.__dataclass_fields__}
        values["input"] = FileRecord.from_data(values["input"]) if "input" in values else None
        values["outputs"] = tuple(map(FileRecord.from_data, values.get("outputs", ())))
        if values["status"] not in (DONE, FAILED):
            raise ValueError("it has another status")
        if "finished" in values and not 0 <= values["finished"] < _NEVER:
            raise ValueError("it has a time that never is")
        return cls(**values)


def _checked(data: Any) -> dict[str, Any]:
    """Raises TypeError for a value that is not of its name's kind, and ValueError for a path that no file has."""
    if not isinstance(data, dict):
        raise TypeError("it is no object")
    for name, value in data.items():
        if not isinstance(value, _KINDS.get(name, object)):
            raise TypeError(f"it has another kind of {name}")
        if name in _PATHS and isinstance(value, str):
            if "\0" in value:
                raise ValueError(f"it has a {name} that no file has")
            if not value.isascii():  # of which encoding takes its time
                named(value)
    return data
