"""XMP packets and IPTC-IIM records as files carry them."""

from __future__ import annotations

import re
import struct
from typing import Any

_RESOURCE = 0x0404
HEAD = 12  # bytes before the records


def upright_xmp(xmp: bytes) -> bytes:
    """The packet for a picture that has been turned upright."""
    return re.sub(rb"(tiff:Orientation(?:=[\"']|>))[2-8]", rb"\g<1>1", xmp)


def without_extension(xmp: bytes) -> bytes:
    """The packet without the mark that a further one follows, which is not read."""
    xmp = re.sub(rb"\sxmpNote:HasExtendedXMP=(\"[^\"<>]{0,64}\"|'[^'<>]{0,64}')", b"", xmp)  # padding is long: no \s+
    return re.sub(rb"<xmpNote:HasExtendedXMP>[^<]{0,64}</xmpNote:HasExtendedXMP>", b"", xmp)


def tag_bytes(tags: Any, number: int) -> bytes | None:
    """Of a directory of Pillow's: what a TIFF tag holds, also where it was declared as LONG, as IPTC often is.

    Pillow makes one number of that, and keeps the bytes.
    """
    value = tags.get(number)
    if value is not None and not isinstance(value, bytes):
        value = getattr(tags, "_tagdata", {}).get(number)
    return value or None


def wrapped(records: bytes) -> bytes:
    """IPTC as a Photoshop image resource without a name, of even length: the form that JPEG and PNG have."""
    return b"8BIM" + struct.pack(">HHI", _RESOURCE, 0, len(records)) + records + bytes(len(records) % 2)


def unwrapped(data: bytes) -> bytes | None:
    """IPTC among Photoshop's resources, or data itself where it is none; None where there is none."""
    if not data.startswith(b"8BIM"):
        return data or None
    position = 0
    while data[position : position + 4] == b"8BIM" and len(data) >= position + HEAD:
        number, name = struct.unpack_from(">HB", data, position + 4)
        position += 6 + (name + 2) // 2 * 2
        if len(data) < position + 4:
            break
        (size,) = struct.unpack_from(">I", data, position)
        if number == _RESOURCE:
            return data[position + 4 : position + 4 + size] or None
        position += 4 + (size + 1) // 2 * 2
    return None
