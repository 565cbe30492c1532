"""What belongs to a Pillow image beside its pixels."""

from __future__ import annotations

from PIL import Image

from .photo import MAX_DPI

_ORIENTATION, _EXIF_IFD, _GPS_IFD = 0x0112, 0x8769, 0x8825
# What IFD 0 says of the photograph; the rest says how one file stores its pixels, untrue of the next file:
# description, make, model, orientation, resolution, software, date, artist, host, copyright, rating, XP*.
_KEPT_TAGS = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 33432, 18246, 18249}
_KEPT_TAGS.update(range(40091, 40096))
_DROPPED_EXIF_TAGS = {0xA002, 0xA003, 0xA005}  # the old width and height, an offset into the old file


def exif_of(image: Image.Image) -> tuple[int, bytes | None]:
    """The orientation and the EXIF to pass on; damaged EXIF is no reason to refuse a good picture."""
    orientation = 1
    try:
        found, kept = image.getexif(), Image.Exif()
        if image.format != "TIFF":  # Pillow turns those itself, some versions without resetting the tag
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


def dpi_of(image: Image.Image) -> tuple[float, float] | None:
    """Dots per inch across and down, or None where there are none that make sense."""
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if 0 < x <= MAX_DPI and 0 < y <= MAX_DPI else None
