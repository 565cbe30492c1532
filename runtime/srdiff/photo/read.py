"""Files and streams to photographs.

Reading applies the EXIF orientation and keeps transparency, 16 bits, and what belongs to the picture.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..atomic_files import stream_name
from ..errors import ImageError, OptionError
from .convert import photo_of
from .decoding import decoding, open_image, silence_libtiff
from .exif import ORIENTATION, UNIT, X_RESOLUTION, Y_RESOLUTION, Carried, carried_of
from .formats import readable_formats, refuse_unread
from .ifd import Directories, Directory
from .metadata import dpi_of_tags
from .packets import upright_xmp
from .photo import Photo
from .png_file import PngHeader, check_png, deep_png, png_header
from .png_metadata import KINDS, metadata_of
from .png_open import open_png, png_frames
from .samples import split, stored_samples, upright
from .tiff_file import deep_samples, full_pages, is_tiff

DEFAULT_MAX_PIXELS = 64_000_000
_LEAST_FRAME = 8  # bytes; no format that is read says a frame in fewer


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
        image = open_image(stream, _formats(name), name)
        return _framed(image, name, max_pixels, frame, _frames_within(image, stream))


def count_frames(source: Path | str) -> int:
    """How many frames or pages a file has, thumbnails and masks of TIFF left out; raises as ``read_photo`` does."""
    name = _name(source)
    with _open(source, name) as stream, decoding(name):
        head = _head(stream, name)
        if png_header(head):
            return png_frames(stream)
        if is_tiff(head):
            return max(len(full_pages(Directories(stream, name))), 1)
        return _frames_within(open_image(stream, _formats(name), name), stream)


def _png_photo(stream: BinaryIO, png: PngHeader, name: str, max_pixels: int, frame: int) -> Photo:
    chunks = check_png(stream, png, name, KINDS)
    image = open_png(stream, chunks, name)
    frames = _frames(image)
    if frames > 1:
        frames = min(frames, png_frames(stream))
    if png.depth in (2, 4) and image.mode == "L" and "transparency" in image.info:
        image.info["transparency"] *= 255 // (2**png.depth - 1)  # Pillow scales the samples but not the key
    if png.cut_by_pillow and frame == 0 and frames == 1:
        image.load()
        photo = photo_of(image, deep_png(stream, png))
    else:
        photo = _framed(image, name, max_pixels, frame, frames)
    said: dict[str, Any] = {"gamma": None, "chromaticity": None, **metadata_of(chunks, name)}
    return replace(photo, **said)


def _tiff_photo(stream: BinaryIO, name: str, max_pixels: int, frame: int) -> Photo:
    silence_libtiff()
    file = Directories(stream, name)
    pages = full_pages(file)
    if not pages:
        return _framed(open_image(stream, ["TIFF"], name), name, max_pixels, frame)
    _check_frame(name, len(pages), frame)
    index, page = pages[frame]
    _check_size(name, page.number(256) or 0, page.number(257) or 0, max_pixels)
    exif = carried_of(file, page)
    samples = deep_samples(stream, page, name)
    if samples is not None:
        return replace(_deep_tiff_photo(page, samples, exif), frames=len(pages))
    try:
        image = open_image(stream, ["TIFF"], name)
        image.seek(index)
        _check_size(name, *image.size, max_pixels)
        image.load()
    except (UnidentifiedImageError, SyntaxError) as error:
        raise ImageError(f"{name} is a kind of TIFF that is not read; save it as 8- or 16-bit RGB") from error
    return replace(photo_of(image, stored_samples(image), exif), frames=len(pages))


def _deep_tiff_photo(page: Directory, samples: np.ndarray, exif: Carried) -> Photo:
    pixels, alpha, grey = split(upright(samples, page.number(ORIENTATION) or 1))
    profile, xmp = (_bytes(page, tag) for tag in (34675, 700))
    dpi = dpi_of_tags(
        {X_RESOLUTION: page.ratio(X_RESOLUTION), Y_RESOLUTION: page.ratio(Y_RESOLUTION), UNIT: page.number(UNIT)}
    )
    xmp = upright_xmp(xmp) if xmp else None
    return Photo(pixels, alpha, grey, profile, exif.exif, dpi, xmp, page.data(33723), lost=exif.lost)


def _bytes(page: Directory, tag: int) -> bytes | None:
    """None for a tag that says it is something else."""
    found = page.field(tag)
    return found.data if found is not None and found.type in (1, 7) else None


def _framed(image: Image.Image, name: str, max_pixels: int, frame: int, frames: int | None = None) -> Photo:
    """One frame as Pillow composes it, of as many as it says where no number is given."""
    frames = _frames(image) if frames is None else frames
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


def _frames_within(image: Image.Image, stream: BinaryIO) -> int:
    """The same, and no more than the file has bytes for, whatever it says."""
    return min(_frames(image), stream.seek(0, io.SEEK_END) // _LEAST_FRAME + 1)


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
