"""Which files are read: one list for a single file, a folder and a stream."""

from __future__ import annotations

from PIL import Image

# Left out are formats that Pillow hands to other programs (EPS, WMF), those that hold no photographs, and
# JPEG 2000, where OpenJPEG leaves missing tiles blank without a word.
_READABLE = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "AVIF")


def readable_formats() -> list[str]:
    """Pillow's names of the formats that are read here."""
    Image.init()
    return [name for name in _READABLE if name in Image.OPEN]
