"""Files, Pillow images and arrays to photographs.

Reading applies the EXIF orientation and keeps transparency, the ICC profile, EXIF and the resolution.
Sixteen bits survive in greyscale and in PNG; 16-bit colour in other formats arrives as Pillow reads it, in 8.
"""

from __future__ import annotations

import io
import struct
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Iterator

import numpy as np
import png
from PIL import Image, ImageCms, UnidentifiedImageError

from ..atomic_files import stream_name
from ..errors import ImageError, one_line
from .photo import MAX_DPI, Photo

DEFAULT_MAX_PIXELS = 64_000_000
# Left out are formats that Pillow hands to other programs (EPS, WMF), those that hold no photographs, and
# JPEG 2000, where OpenJPEG leaves missing tiles blank without a word.
_READABLE = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "AVIF")
_MANAGED = ("CMYK", "LAB")  # modes whose pixels mean nothing without a profile
_BLACK_POINT_COMPENSATION: Any = 0x2000  # its number in lcms, as Pillow's name for it has changed
_STRAIGHT = {"1": "L", "L": "L", "LA": "LA", "La": "LA", "PA": "RGBA", "RGBA": "RGBA", "RGBa": "RGBA"}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {2: 3, 4: 2, 6: 4}  # by colour type: those that Pillow cuts from 16 bits down to 8
_ORIENTATION, _EXIF_IFD, _GPS_IFD = 0x0112, 0x8769, 0x8825
# What IFD 0 says of the photograph; the rest says how one file stores its pixels, untrue of the next file:
# description, make, model, orientation, resolution, software, date, artist, host, copyright, rating, XP*.
_KEPT_TAGS = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 33432, 18246, 18249}
_KEPT_TAGS.update(range(40091, 40096))
_DROPPED_EXIF_TAGS = {0xA002, 0xA003, 0xA005}  # the old width and height, an offset into the old file
# Steps along rows and columns by EXIF orientation, 1 to 4; 5 to 8 repeat them on the transposed picture.
_FLIPS = ((1, 1), (1, -1), (-1, -1), (-1, 1))


def read_photo(source: Path | str | BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS) -> Photo:
    """Reads a file's first picture; a stream is read from where it stands to its end.

    One-channel files come back grey, palettes as RGB, CMYK and Lab as sRGB without their profile.
    Raises ImageError for what is missing, damaged in any way, no image, or larger than ``max_pixels``.
    """
    name = str(source) if isinstance(source, (str, Path)) else stream_name(source, "standard input")
    with _open(source, name) as stream, _decoding(name):
        head = stream.read(26)
        if not head:
            raise ImageError(f"{name} is empty; give an image file")
        stream.seek(0)
        width, height, depth, colour_type = _png_header(head)
        _check_size(name, width, height, max_pixels)
        image = Image.open(stream, formats=_readable())
        _check_size(name, *image.size, max_pixels)
        image.load()
        if depth == 16 and colour_type in _PNG_CHANNELS:
            return _photo(image, _deep_png(stream, _PNG_CHANNELS[colour_type]))
        if depth in (2, 4) and image.mode == "L" and "transparency" in image.info:
            image.info["transparency"] *= 255 // (2**depth - 1)  # Pillow scales the samples but not the key
        return _photo(image, _samples(image))


def photo_from(image: Image.Image | np.ndarray) -> Photo:
    """A photo from a Pillow image, treated as its file would be, or from an array.

    An array is uint8, uint16, or float in [0, 1] (which becomes uint16), of shape [h, w] or [h, w, 1] (grey),
    [h, w, 2] (grey, alpha), [h, w, 3] (RGB) or [h, w, 4] (RGBA). Raises ImageError for anything else.
    """
    if isinstance(image, Image.Image):
        with _decoding("the image"):
            image.load()
            return _photo(image, _samples(image))
    if not isinstance(image, np.ndarray):
        raise ImageError(f"an image was given as {type(image).__name__}; give a Pillow image or a NumPy array")
    if image.size == 0 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (2,), (3,), (4,)):
        raise ImageError(f"an array has shape {list(image.shape)}; give [height, width] or 1 to 4 channels last")
    if image.dtype.kind == "f":
        image = _from_unit_range(image)
    if image.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise ImageError(f"an array has type {image.dtype}; give uint8, uint16, or float in [0, 1]")
    return Photo(*_split(image))


def _readable() -> list[str]:
    Image.init()
    return [name for name in _READABLE if name in Image.OPEN]


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


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turns everything that decoders do about damaged bytes, warnings included, into one ImageError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is refused by Pillow ({one_line(error)}); give a smaller image") from error
    except UnidentifiedImageError as error:
        formats = ", ".join(_readable())
        raise ImageError(f"{name} is no image, or damaged where it begins; give one of {formats}") from error
    except MemoryError as error:
        raise ImageError(f"{name} does not fit into memory; give a smaller image") from error
    except Exception as error:  # damaged bytes raise nearly anything, from zlib.error to IndexError
        raise ImageError(f"{name} is damaged or cut short ({one_line(error)}); give a complete file") from error


def _check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(
            f"{name} is {width}x{height}, more than the limit of {max_pixels} pixels; "
            "give a smaller image or raise the limit with --max-pixels"
        )


def _png_header(head: bytes) -> tuple[int, int, int, int]:
    """Width, height, bit depth and colour type from a PNG file's first 26 bytes; zeros for other files."""
    if len(head) < 26 or not head.startswith(_PNG_SIGNATURE) or head[12:16] != b"IHDR":
        return 0, 0, 0, 0
    width, height, depth, colour_type = struct.unpack(">IIBB", head[16:])
    return width, height, depth, colour_type


def _deep_png(stream: BinaryIO, channels: int) -> np.ndarray:
    """[h, w, channels] uint16, where Pillow would drop the low bytes."""
    stream.seek(0)
    width, height, rows, _ = png.Reader(file=stream).read()
    return np.array([np.array(row, np.uint16) for row in rows]).reshape(height, width, channels)


def _samples(image: Image.Image) -> np.ndarray:
    """What the image stores, uint8 or uint16, in one of ``photo_from``'s shapes."""
    mode = image.mode
    if mode == "F":  # 0 to 255 as Pillow has it, 0 to 1 as most float TIFF files do
        floats = np.asarray(image)
        return _from_unit_range(floats / 255 if floats.max() > 1 else floats)
    if mode.startswith("I"):
        return _from_integers(np.asarray(image))
    if mode in _MANAGED:
        image = _to_srgb(image)
    elif mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return np.asarray(image.convert(_STRAIGHT.get(image.mode, "RGB")))


def _to_srgb(image: Image.Image) -> Image.Image:
    """CMYK and Lab in sRGB; CMYK without a profile, or with a broken one, by Pillow's plain formula."""
    try:
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
            flags=_BLACK_POINT_COMPENSATION,
        )
        return converted or image.convert("RGB")
    except (KeyError, TypeError, OSError, ImageCms.PyCMSError):
        return image.convert("RGB")


def _from_unit_range(floats: np.ndarray) -> np.ndarray:
    low, high = floats.min(), floats.max()
    if not (low >= 0 and high <= 1):  # written so that NaN fails
        raise ImageError(f"an image has float values from {low:g} to {high:g}; scale them to [0, 1]")
    return np.rint(np.multiply(floats, 65535, dtype=np.float64)).astype(np.uint16)


def _from_integers(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()  # a 16-bit file may arrive in 32 bits
    if low < 0 or high > 65535:
        raise ImageError(f"an image has values from {low} to {high}; scale them to 16 bits, 0 to 65535")
    return values.astype(np.uint16)


def _photo(image: Image.Image, samples: np.ndarray) -> Photo:
    """Joins a loaded image's samples with its metadata, upright."""
    key = image.info.get("transparency")
    if isinstance(key, (int, tuple)) and np.shape(key) == samples.shape[2:]:
        samples = _with_key_colour(samples, 255 * bool(key) if image.mode == "1" else key)
    orientation, exif = _exif(image)
    pixels, alpha, grey = _split(_upright(samples, orientation))
    profile = None if image.mode in _MANAGED else image.info.get("icc_profile") or None
    return Photo(pixels, alpha, grey, profile, exif, _dpi(image))


def _with_key_colour(samples: np.ndarray, key: int | tuple[int, ...]) -> np.ndarray:
    """Appends the alpha that one fully transparent colour stands for."""
    transparent = (np.atleast_3d(samples) == key).all(axis=2)
    alpha = np.where(transparent, 0, np.iinfo(samples.dtype).max).astype(samples.dtype)
    return np.dstack([samples, alpha])


def _upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    if not 1 <= orientation <= 8:
        return samples
    rows, columns = _FLIPS[(orientation - 1) % 4]
    return (samples.swapaxes(0, 1) if orientation > 4 else samples)[::rows, ::columns]


def _split(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """Pixels, alpha and grey of an array in one of ``photo_from``'s shapes."""
    samples = np.atleast_3d(samples).astype(samples.dtype.newbyteorder("="), copy=False)
    channels = samples.shape[2]
    grey = channels < 3
    pixels = np.repeat(samples[..., :1], 3, axis=2) if grey else np.ascontiguousarray(samples[..., :3])
    alpha = np.ascontiguousarray(samples[..., -1]) if channels in (2, 4) else None
    return pixels, alpha, grey


def _exif(image: Image.Image) -> tuple[int, bytes | None]:
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


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if 0 < x <= MAX_DPI and 0 < y <= MAX_DPI else None
