"""What PNG's chunks say beside the pixels, under the names of ``Photo``'s fields."""

from __future__ import annotations

import binascii
import struct
import zlib
from contextlib import suppress
from typing import Any, Iterable, Mapping

from ..errors import ImageError
from .packets import unwrapped, upright_xmp

XMP_KEYWORD = "XML:com.adobe.xmp"
# What ImageMagick, ExifTool and exiv2 agreed on where the specification has nothing: a line's end, the kind, the length
# in decimal and the bytes in hexadecimal.
RAW_PROFILE = "Raw profile type "
RAW_EXIF = f"{RAW_PROFILE}exif"
_MAX_TEXT = 64 << 20  # bytes that compressed texts and profiles may grow to, all together
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
PACKED = (b"iCCP", *_TEXTS)
KINDS = (b"cICP", b"gAMA", b"cHRM", b"sRGB", *PACKED)


def metadata_of(chunks: Iterable[tuple[bytes, bytes]], name: str) -> dict[str, Any]:
    """From the chunks whose kinds are among ``KINDS``, in their order; damaged ones are left out.

    cICP comes before iCCP, iCCP and sRGB before gAMA with cHRM, as the specification has it.
    Raises ImageError for more compressed text than people write.
    """
    first: dict[bytes, bytes] = {}
    texts: list[tuple[str, str]] = []
    room = _Room(name)
    for kind, data in chunks:
        if kind in _TEXTS:
            text = _text(kind, data, room)
            if text is not None:
                texts.append(text)
        else:
            first.setdefault(kind, data)
    found = _sorted(texts)
    if len(first.get(b"cICP", b"")) == 4:
        found["cicp"] = first[b"cICP"]
    elif b"iCCP" not in first and b"sRGB" not in first:
        found.update(_light(first))
    return found


def _light(chunks: dict[bytes, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if len(chunks.get(b"gAMA", b"")) == 4:
        gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 100_000
        if 0.01 < gamma < 100:
            found["gamma"] = gamma
    if len(chunks.get(b"cHRM", b"")) == 32:
        found["chromaticity"] = tuple(value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"]))
    return found


def metadata_of_info(info: Mapping[Any, Any]) -> dict[str, Any]:
    """The same from Pillow's ``info`` of a PNG that has been loaded; texts of one keyword are one there."""
    found = _sorted((keyword, str(text)) for keyword, text in info.items() if isinstance(text, str))
    if not info.get("icc_profile") and "srgb" not in info:
        gamma, chromaticity = info.get("gamma"), info.get("chromaticity")
        if isinstance(gamma, float) and 0.01 < gamma < 100:
            found["gamma"] = gamma
        if isinstance(chromaticity, tuple) and len(chromaticity) == 8:
            found["chromaticity"] = chromaticity
    return found


def _sorted(texts: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Texts apart from XMP and IPTC, which PNG keeps among them; EXIF among them is Pillow's to read."""
    found: dict[str, Any] = {}
    words = []
    for keyword, text in texts:
        if keyword == XMP_KEYWORD:
            found["xmp"] = upright_xmp(text.encode())
        elif keyword.startswith(RAW_PROFILE):
            kind = keyword[len(RAW_PROFILE) :]
            profile = raw_profile(text) if kind in ("iptc", "xmp") else None
            if profile:
                found.setdefault(kind, unwrapped(profile) if kind == "iptc" else upright_xmp(profile))
        else:
            words.append((keyword, text))
    found["text"] = tuple(words)
    return found


def unpacked(chunks: Iterable[tuple[bytes, bytes]], name: str) -> dict[str, Any]:
    """Texts and profile under the names of Pillow's ``info``; raises ImageError as :func:`metadata_of`."""
    found: dict[str, Any] = {}
    room = _Room(name)
    for kind, data in chunks:
        text = _text(kind, data, room) if kind in _TEXTS else None
        if text is not None:
            found[text[0]] = text[1]
        elif kind == b"iCCP":
            with suppress(zlib.error):
                found.setdefault("icc_profile", room.inflated(data.partition(b"\0")[2][1:]))
    return found


class _Room:
    """What compressed chunks of one file may still grow to; whatever is inflated counts, used or not."""

    def __init__(self, name: str) -> None:
        self._name, self._left = name, _MAX_TEXT

    def inflated(self, data: bytes) -> bytes:
        """Raises zlib.error for damaged data, ImageError where there is too much."""
        inflate = zlib.decompressobj()
        result = inflate.decompress(data, self._left + 1)
        self._left -= len(result)
        if self._left < 0:
            raise ImageError(f"{self._name} holds more than {_MAX_TEXT >> 20} MB of text; remove some")
        if not inflate.eof:
            raise zlib.error("cut short")
        return result


def _text(kind: bytes, data: bytes, room: _Room) -> tuple[str, str] | None:
    keyword, _, rest = data.partition(b"\0")
    try:
        if kind == b"tEXt":
            return keyword.decode("latin-1"), rest.decode("latin-1")
        if kind == b"zTXt":
            return keyword.decode("latin-1"), room.inflated(rest[1:]).decode("latin-1")
        compressed, rest = rest[:1] == b"\1", rest[2:]
        words = rest.split(b"\0", 2)[2]
        return keyword.decode("latin-1"), (room.inflated(words) if compressed else words).decode()
    except (zlib.error, UnicodeDecodeError, IndexError):
        return None


def raw_profile(words: str) -> bytes | None:
    lines = words.strip().split("\n", 2)
    try:
        return binascii.unhexlify("".join(lines[2].split()))[: int(lines[1])]
    except (ValueError, IndexError):
        return None
