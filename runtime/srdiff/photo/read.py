"""Files and streams to photographs.

Reading applies the EXIF orientation and keeps transparency, 16 bits, and what belongs to the picture.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..atomic_files import stream_name
from ..errors import ImageError, OptionError
from .convert import photo_of
from .decoding import decoding, open_image, silence_libtiff
from .formats import readable_formats, refuse_unread
from .metadata import dpi_of_tags, exif_of
from .packets import upright_xmp
from .photo import Photo
from .png_file import PngHeader, check_png, deep_png, png_header
from .png_metadata import KINDS, metadata_of
from .samples import split, stored_samples, upright
from .tiff_file import Page, deep_samples, full_pages, is_tiff

DEFAULT_MAX_PIXELS = 64_000_000


def read_photo(source: Path | str | BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS, frame: int = 0) -> Photo:
    """Reads one picture of a file; a stream is read from where it stands to its end.

    One-channel files come back grey, palettes as RGB, CMYK and Lab as sRGB without their profile. Of files with
    several frames or pages it is the one that ``frame`` counts from 0, thumbnails and masks of TIFF left out;
    ``frames`` of the photo says how many there are.
    Raises ImageError for what is missing, damaged in any way, of a kind that is not read, no image, or larger than
    ``max_pixels``; OptionError for a frame that the file does not have.
    """
    name = _name(source)
    with _open(source, name) as stream, decoding(name):
        head = _head(stream, name)
        png = png_header(head)
        if png:
            _check_size(name, png.width, png.height, max_pixels)
            return _png_photo(stream, png, name, max_pixels, frame)
        if is_tiff(head):
            return _tiff_photo(stream, name, max_pixels, frame)
        return _framed(open_image(stream, _formats(name)), name, max_pixels, frame)


def count_frames(source: Path | str) -> int:
    """How many frames or pages a file has, thumbnails and masks of TIFF left out; raises as ``read_photo`` does."""
    name = _name(source)
    with _open(source, name) as stream, decoding(name):
        if is_tiff(_head(stream, name)):
            return max(len(full_pages(stream, name)), 1)
        return _frames(open_image(stream, _formats(name)))


def _png_photo(stream: BinaryIO, png: PngHeader, name: str, max_pixels: int, frame: int) -> Photo:
    chunks = check_png(stream, png, name, KINDS)
    image = open_image(stream, ["PNG"])
    if png.depth in (2, 4) and image.mode == "L" and "transparency" in image.info:
        image.info["transparency"] *= 255 // (2**png.depth - 1)  # Pillow scales the samples but not the key
    if png.cut_by_pillow and frame == 0 and _frames(image) == 1:
        image.load()
        photo = photo_of(image, deep_png(stream, png))
    else:
        photo = _framed(image, name, max_pixels, frame)
    said: dict[str, Any] = {"gamma": None, "chromaticity": None, **metadata_of(chunks)}
    return replace(photo, **said)


def _tiff_photo(stream: BinaryIO, name: str, max_pixels: int, frame: int) -> Photo:
    silence_libtiff()
    pages = full_pages(stream, name)
    if not pages:
        return _framed(open_image(stream, ["TIFF"]), name, max_pixels, frame)
    _check_frame(name, len(pages), frame)
    index, page = pages[frame]
    _check_size(name, int(page.get(256, 0)), int(page.get(257, 0)), max_pixels)
    stream.seek(0)
    samples = deep_samples(stream, page, "<" if stream.read(2) == b"II" else ">", name)
    if samples is not None:
        return replace(_deep_tiff_photo(stream, page, samples), frames=len(pages))
    try:
        image = open_image(stream, ["TIFF"])
        image.seek(index)
        _check_size(name, *image.size, max_pixels)
        image.load()
    except (UnidentifiedImageError, SyntaxError) as error:
        raise ImageError(f"{name} is a kind of TIFF that is not read; save it as 8- or 16-bit RGB") from error
    return replace(photo_of(image, stored_samples(image)), frames=len(pages))


def _deep_tiff_photo(stream: BinaryIO, page: Page, samples: np.ndarray) -> Photo:
    exif = Image.Exif()
    with suppress(Exception):  # damaged EXIF is no reason to refuse a good picture
        stream.seek(0)
        exif.load_from_fp(stream)
    _, kept = exif_of(exif, True)
    pixels, alpha, grey = split(upright(samples, int(page.get(274, 1))))
    profile, xmp, iptc = (page.get(tag) if isinstance(page.get(tag), bytes) else None for tag in (34675, 700, 33723))
    return Photo(pixels, alpha, grey, profile, kept, dpi_of_tags(page), upright_xmp(xmp) if xmp else None, iptc)


def _framed(image: Image.Image, name: str, max_pixels: int, frame: int) -> Photo:
    """One frame as Pillow composes it."""
    frames = _frames(image)
    _check_size(name, *image.size, max_pixels)
    _check_frame(name, frames, frame)
    if frame:
        image.seek(frame)
        _check_size(name, *image.size, max_pixels)
    image.load()
    return replace(photo_of(image, stored_samples(image)), frames=frames)


def _frames(image: Image.Image) -> int:
    """Further pictures in a JPEG (MPO) are depth, gain and preview, and no frames."""
    return int(getattr(image, "n_frames", 1)) if image.format not in ("MPO", "JPEG") else 1


def _check_frame(name: str, frames: int, frame: int) -> None:
    if not 0 <= frame < frames:
        raise OptionError(f"{name} has {frames} frames and frame {frame} was asked for; count from 0 to {frames - 1}")


def _name(source: Path | str | BinaryIO) -> str:
    return str(source) if isinstance(source, (str, Path)) else stream_name(source, "standard input")


def _head(stream: BinaryIO, name: str) -> bytes:
    """The file's first 32 bytes. Raises ImageError where there are none, or they say that it is not read."""
    head = stream.read(32)
    if not head:
        raise ImageError(f"{name} is empty; give an image file")
    refuse_unread(name, head)
    return head


def _formats(name: str) -> list[str]:
    """TGA has no signature: nearly any bytes could be one, so it goes by its suffix."""
    tga = Path(name).suffix.lower() == ".tga"
    return [format for format in readable_formats() if format != "TGA" or tga]


def _open(source: Path | str | BinaryIO, name: str) -> BinaryIO:
    """A seekable stream at its start, for the caller to close."""
    try:
        if not isinstance(source, (str, Path)):
            return io.BytesIO(source.read())
        stream = Path(source).open("rb")  # noqa: SIM115
        if stream.seekable():
            return stream
        with stream:
            return io.BytesIO(stream.read())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name} cannot be opened ({reason}); give an image file that you may read") from error


def _check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(
            f"{name} is {width}x{height}, more than the limit of {max_pixels} pixels; "
            "give a smaller image or raise max_pixels"
        )
