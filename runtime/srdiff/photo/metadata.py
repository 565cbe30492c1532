"""What belongs to a Pillow image beside its pixels."""

from __future__ import annotations

import re
from typing import Any

from PIL import Image

from .photo import MAX_DPI

XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
_XMP, _IPTC, _X_RESOLUTION, _IPTC_RESOURCE = 700, 33723, 282, 0x0404
_ORIENTATION, _EXIF_IFD, _GPS_IFD = 0x0112, 0x8769, 0x8825
# What IFD 0 says of the photograph; the rest says how one file stores its pixels, untrue of the next file:
# description, make, model, orientation, resolution, software, date, artist, host, copyright, rating, XP*.
_KEPT_TAGS = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 33432, 18246, 18249}
_KEPT_TAGS.update(range(40091, 40096))
_DROPPED_EXIF_TAGS = {0xA002, 0xA003, 0xA005}  # the old width and height, an offset into the old file


def exif_of(found: Image.Exif, turned: bool = False) -> tuple[int, bytes | None]:
    """The orientation and the EXIF to pass on; damaged EXIF is no reason to refuse a good picture.

    ``turned``: the decoder has applied the orientation already.
    """
    orientation = 1
    try:
        kept = Image.Exif()
        if not turned:
            orientation = int(found.get(_ORIENTATION, 1))
        kept.endian = found.endian  # maker notes rely on it
        for tag in _KEPT_TAGS.intersection(found):
            kept[tag] = 1 if tag == _ORIENTATION else found[tag]
        for tag in (_EXIF_IFD, _GPS_IFD):
            nested = {key: value for key, value in found.get_ifd(tag).items() if key not in _DROPPED_EXIF_TAGS}
            if nested:
                kept[tag] = nested
        return orientation, kept.tobytes() if len(kept) else None
    except Exception:
        return orientation, None


def loaded_exif(image: Image.Image) -> Image.Exif:
    """The image's EXIF; empty where it is damaged."""
    try:
        return image.getexif()
    except Exception:
        return Image.Exif()


def dpi_of(image: Image.Image) -> tuple[float, float] | None:
    """Dots per inch across and down, or None where there are none that make sense."""
    tags: Any = getattr(image, "tag_v2", None)
    if tags is not None and _X_RESOLUTION not in tags:  # Pillow then says 1
        return None
    try:
        x, y = image.info["dpi"]
        return sensible_dpi(x, y)
    except (KeyError, TypeError, ValueError):
        return None


def sensible_dpi(x: Any, y: Any) -> tuple[float, float] | None:
    """The two as numbers that every format can say, or None."""
    try:
        across, down = float(x), float(y)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (across, down) if 0 < across <= MAX_DPI and 0 < down <= MAX_DPI else None


def texts_of(image: Image.Image) -> dict[str, Any]:
    """XMP, IPTC, PNG text and gAMA under the names of ``Photo``'s fields."""
    info = image.info
    found: dict[str, Any] = {}
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or _tag(image, _XMP) or _jpeg_xmp(image)
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    if isinstance(xmp, bytes) and xmp.strip(b"\0 "):
        found["xmp"] = upright_xmp(xmp)
    photoshop = info.get("photoshop")
    iptc = photoshop.get(_IPTC_RESOURCE) if isinstance(photoshop, dict) else _tag(image, _IPTC)
    if isinstance(iptc, bytes) and iptc:
        found["iptc"] = iptc
    if image.format == "PNG":
        words = getattr(image, "text", {})
        names = [name for name in words if name != "XML:com.adobe.xmp" and not name.startswith("Raw profile type")]
        found["text"] = tuple((name, str(words[name])) for name in names)
        gamma = info.get("gamma")
        if isinstance(gamma, float) and 0.01 < gamma < 100 and not info.get("icc_profile") and "srgb" not in info:
            found["gamma"] = gamma
    return found


def upright_xmp(xmp: bytes) -> bytes:
    """The packet for a picture that has been turned upright."""
    return re.sub(rb"(tiff:Orientation(?:=[\"']|>))[2-8]", rb"\g<1>1", xmp)


def _tag(image: Image.Image, number: int) -> Any:
    tags: Any = getattr(image, "tag_v2", {})
    return tags.get(number)


def _jpeg_xmp(image: Image.Image) -> bytes | None:
    """From the markers, for Pillow before 10."""
    for marker, data in getattr(image, "applist", []):
        if marker == "APP1" and data.startswith(XMP_HEADER):
            return bytes(data[len(XMP_HEADER) :])
    return None
