"""What of a photo each format can hold: what is written, and what is told not to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .colour_tags import profile_of
from .jpeg_file import COMMENT, MAX_IPTC, MAX_PROFILE, MAX_SEGMENT, MAX_XMP
from .photo import Photo
from .png_output import MAX_PACKED, MAX_TEXTS

_MAX_PROFILE = {"png": MAX_PACKED, "jpg": MAX_PROFILE}  # bytes that readers take
EIGHT_BIT = ("jpg", "webp")


def fitting(photo: Photo, format: str) -> Photo:
    """The photo with what ``format`` can hold of what belongs to its pixels.

    What PNG says about colour without a profile becomes a profile where the format has only that.
    """
    if format != "png":
        grey = photo.grey and format != "webp"  # WebP knows no grey
        profile = profile_of(photo, grey)
        photo = replace(photo, icc_profile=profile, gamma=None, chromaticity=None, cicp=None)
    if photo.icc_profile and photo.icc_profile[16:20] == b"GRAY" and (format == "webp" or not photo.grey):
        photo = replace(photo, icc_profile=None)  # it does not fit colour
    if _too_large(photo, format):
        photo = replace(photo, icc_profile=None)
    if format == "png":
        return _within_png(photo)
    if format == "webp":
        return replace(photo, iptc=None, text=())
    if format == "tiff":
        return replace(photo, text=())
    if format == "jpg":
        comments = [item for item in photo.text if item[0] == COMMENT and len(item[1].encode()) <= MAX_SEGMENT]
        exif, xmp = _within(photo.exif, MAX_SEGMENT), _within(photo.xmp, MAX_XMP)
        return replace(photo, exif=exif, xmp=xmp, iptc=_within(photo.iptc, MAX_IPTC), text=tuple(comments))
    return photo


def unkept(photo: Photo, format: str) -> list[str]:
    """What belongs to the photo that a file of ``format`` will not have, each in a few words; empty if all is kept."""
    kept = fitting(photo, format)
    lost = list(photo.lost)
    pairs = (("EXIF", photo.exif, kept.exif), ("XMP", photo.xmp, kept.xmp), ("IPTC", photo.iptc, kept.iptc))
    for name, had, has in pairs:
        if had and not has:
            limit = {"jpg": "a segment holds", "png": "readers take"}.get(format)
            lost.append(f"{name} ({len(had)} bytes, more than {limit})" if limit else name)
    if photo.icc_profile and _too_large(photo, format):
        lost.append(f"ICC profile ({len(photo.icc_profile)} bytes, more than readers take)")
    elif photo.icc_profile and not kept.icc_profile:
        lost.append("the profile of grey")
    if photo.cicp and not kept.cicp and (not kept.icc_profile or kept.icc_profile == photo.icc_profile):
        lost.append(f"cICP {'/'.join(map(str, photo.cicp))}")
    if photo.gamma and not kept.gamma and not kept.icc_profile:
        lost.append("gAMA")
    if photo.chromaticity and not photo.gamma and not kept.chromaticity:
        lost.append("cHRM")
    words = [keyword for keyword, text in photo.text if (keyword, text) not in kept.text]
    if words:
        lost.append(f"text ({', '.join(dict.fromkeys(words))})")
    if photo.pixels.dtype == np.uint16 and format in EIGHT_BIT:
        lost.append("16 bits (8 are)")
    return lost


def _too_large(photo: Photo, format: str) -> bool:
    return len(photo.icc_profile or b"") > _MAX_PROFILE.get(format, len(photo.icc_profile or b""))


def _within_png(photo: Photo) -> Photo:
    """Without the texts that are beyond what readers of PNG take together; XMP and IPTC come first."""
    left = MAX_TEXTS
    xmp = _within(photo.xmp, left)
    left -= len(xmp or b"")
    iptc = _within(photo.iptc, left * 2 // 5)  # in hexadecimal, with line ends
    left -= len(iptc or b"") * 5 // 2
    kept = []
    for keyword, words in photo.text:
        size = len(keyword) + len(words.encode("utf-8", "replace"))
        if size <= left:
            kept.append((keyword, words))
            left -= size
    return replace(photo, xmp=xmp, iptc=iptc, text=tuple(kept))


def _within(data: bytes | None, limit: int) -> bytes | None:
    return data if data is not None and len(data) <= limit else None
