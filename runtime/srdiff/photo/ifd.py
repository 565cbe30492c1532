"""TIFF's directories, in a TIFF or in EXIF: their tags as they are stored, read no further than the bytes go."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

import numpy as np

from ..errors import ImageError

# Bytes of one value, by type; 16 to 18 are BigTIFF's.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 8: "i2", 9: "i4", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
_FRACTIONS = {5: "u4", 10: "i4"}
_FLOATS = {11: "f4", 12: "f8"}
_SIZE_BY_TYPE = np.zeros(19)
_SIZE_BY_TYPE[list(SIZES)] = list(SIZES.values())
_MOST_ENTRIES = 4096  # of one directory; a photograph's has some dozens
# Values may be shared between pages, but not so often that reading all of them takes longer than the file explains.
_SHARED, _FREE = 4, 1 << 20


class Field(NamedTuple):
    """One tag's value, in its file's byte order."""

    type: int
    length: int  # how many values
    data: bytes


class Directories:
    """What a TIFF's or an EXIF's directories are read from.

    All that are read together have no more entries than the bytes hold, and their values at most four times the bytes.
    Raises ValueError for bytes without a TIFF's header, ImageError where the directories claim more.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.stream, self.name = stream, name
        self.size = stream.seek(0, 2)
        stream.seek(0)
        head = stream.read(16)
        if head[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            raise ValueError("no TIFF header")
        self.order = "<" if head.startswith(b"II") else ">"
        self.big = b"+" in head[:4]
        self.first = self.number(head[8:16] if self.big else head[4:8])
        value = "V8" if self.big else "V4"
        fields = [("tag", "u2"), ("type", "u2"), ("count", "u8" if self.big else "u4"), ("value", value)]
        self.entry = np.dtype([(name, self.order + kind if kind[0] == "u" else kind) for name, kind in fields])
        self._entries_left = float(self.size)
        self._values_left = float(_SHARED * self.size + _FREE)

    def directory(self, position: int) -> Directory:
        """The one at this position; of one that is cut short, what is there of it."""
        head, link = (8, 8) if self.big else (2, 4)
        start = min(position, self.size)
        self.stream.seek(start)
        said = self.stream.read(head)
        claimed = self.number(said) if len(said) == head else 0
        count = min(claimed, max(self.size - start - head, 0) // self.entry.itemsize)
        self._entries_left -= count * self.entry.itemsize
        if count > _MOST_ENTRIES or self._entries_left < 0:
            raise ImageError(f"{self.name} is damaged (its directories have too many entries); give a complete file")
        entries = np.frombuffer(self.stream.read(count * self.entry.itemsize), self.entry)
        self._count_values(entries)
        after = self.stream.read(link)
        whole = len(said) == head and count == claimed
        following = self.number(after) if whole and len(after) == link else 0
        return Directory(self, entries, following, whole)

    def _count_values(self, entries: np.ndarray) -> None:
        """Bytes that reading all values takes, counted before any is read."""
        inline = 8 if self.big else 4
        sizes = _SIZE_BY_TYPE[np.where(entries["type"] < len(_SIZE_BY_TYPE), entries["type"], 0)] * entries["count"]
        offsets = entries["value"].copy().view(f"{self.order}u{inline}").astype(np.float64)
        there = np.minimum(sizes, np.maximum(self.size - offsets, 0))
        self._values_left -= float(there[sizes > inline].sum())
        if self._values_left < 0:
            raise ImageError(f"{self.name} is damaged (its tags claim more bytes than it has); give a complete file")

    def number(self, data: bytes) -> int:
        """These bytes as one, without a sign."""
        return int.from_bytes(data, "little" if self.order == "<" else "big")


class Directory:
    """One directory, whose values are read when they are asked for; of several of one tag it has the first.

    Attributes:
        order: ``<`` or ``>``.
        next: where the following one is, or 0.
        whole: whether all its entries are there.
    """

    def __init__(self, file: Directories, entries: np.ndarray, following: int, whole: bool) -> None:
        self._file, self._entries = file, entries
        self.order, self.next, self.whole = file.order, following, whole

    def __contains__(self, tag: int) -> bool:
        return bool((self._entries["tag"] == tag).any())

    def tags(self) -> list[int]:
        return sorted(set(self._entries["tag"].tolist()))

    def count(self, tag: int) -> int:
        """How many values it claims."""
        entry = self._entry(tag)
        return 0 if entry is None else int(entry["count"])

    def field(self, tag: int) -> Field | None:
        """None where it is missing, empty, of an unknown type, or beyond the bytes."""
        data = self.data(tag)
        entry = self._entry(tag)
        return None if data is None or entry is None else Field(int(entry["type"]), int(entry["count"]), data)

    def data(self, tag: int, most: int | None = None) -> bytes | None:
        """The bytes of its first ``most`` values; None as :meth:`field`."""
        entry = self._entry(tag)
        size = None if entry is None else SIZES.get(int(entry["type"]))
        if entry is None or size is None:
            return None
        whole = size * int(entry["count"])
        wanted = whole if most is None else min(whole, size * most)
        value = entry["value"].tobytes()
        if whole <= len(value):
            return value[:wanted] or None
        place = self._file.number(value)
        if place + whole > self._file.size:
            return None
        self._file.stream.seek(place)
        return self._file.stream.read(wanted) or None

    def numbers(self, tag: int, most: int | None = None) -> np.ndarray | None:
        """Its first whole numbers, in their stored type; None where there are none."""
        entry = self._entry(tag)
        kind = None if entry is None else _WHOLE.get(int(entry["type"]))
        data = None if kind is None else self.data(tag, most)
        return None if data is None else np.frombuffer(data, f"{self.order}{kind}")

    def number(self, tag: int) -> int | None:
        found = self.numbers(tag, 1)
        return None if found is None else int(found[0])

    def ratio(self, tag: int) -> float | None:
        """Its first number, of any type."""
        entry = self._entry(tag)
        kind = 0 if entry is None else int(entry["type"])
        names = {**_WHOLE, **_FRACTIONS, **_FLOATS}
        data = self.data(tag, 1) if kind in names else None
        if data is None:
            return None
        values = np.frombuffer(data, f"{self.order}{names[kind]}").tolist()
        if kind not in _FRACTIONS:
            return float(values[0])
        return values[0] / values[1] if values[1] else None

    def _entry(self, tag: int) -> np.void | None:
        found = np.flatnonzero(self._entries["tag"] == tag)
        return self._entries[found[0]] if found.size else None
