"""JPEG's segments beside those that Pillow writes."""

from __future__ import annotations

import struct

from .packets import HEAD, wrapped
from .photo import Photo

XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
# A segment's length counts its own two bytes in sixteen bits.
MAX_SEGMENT = 65533
MAX_XMP = MAX_SEGMENT - len(XMP_HEADER)
MAX_IPTC = MAX_SEGMENT - len(_PHOTOSHOP) - HEAD - 1  # the byte that makes its length even
MAX_PROFILE = 255 * (MAX_SEGMENT - 14)  # segments are counted in a byte, and each has a head
COMMENT = "Comment"  # PNG's keyword for what JPEG's comment is


def segments(photo: Photo) -> bytes:
    """APP1 with XMP, APP13 with IPTC, and the comment; each must fit into its segment."""
    found = b""
    if photo.xmp:
        found += _segment(0xE1, XMP_HEADER + photo.xmp)
    if photo.iptc:
        found += _segment(0xED, _PHOTOSHOP + wrapped(photo.iptc))
    for keyword, words in photo.text:
        if keyword == COMMENT:
            found += _segment(0xFE, words.encode())
    return found


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data
