"""Photographs in and out: RGB pixels, and with them what a photographer expects to survive.

Reading applies the EXIF orientation and keeps transparency, the ICC profile, EXIF and the resolution.
Sixteen bits survive in greyscale and in PNG; 16-bit colour in other formats arrives as Pillow reads it, in 8.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Iterator

import numpy as np
import png
from PIL import Image, ImageCms, UnidentifiedImageError

from .errors import ImageError, OptionError, OutputError
from .files import atomic_file, cannot_write

DEFAULT_MAX_PIXELS = 64_000_000
# What can be written, under the suffixes that ask for it.
FORMATS = {"png": (".png",), "jpg": (".jpg", ".jpeg"), "webp": (".webp",), "tiff": (".tif", ".tiff")}

# Left out are formats that Pillow hands to other programs (EPS, WMF), those that hold no photographs, and
# JPEG 2000, where OpenJPEG leaves missing tiles blank without a word.
_READABLE = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "AVIF")
_PILLOW_FORMAT = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tiff": "TIFF"}
_QUALITY: dict[str, dict[str, Any]] = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"quality": 95}}
_MAX_SIDE = {"jpg": 65500, "webp": 16383}  # libjpeg stops short of the 65535 that the format allows
_MAX_DPI = 65535  # the most that JPEG can say
_MAX_JPEG_EXIF = 65533  # a marker's length counts its own two bytes in sixteen bits

# Pillow's own luma: BT.601 in 16 binary digits, so equal channels come back as they are.
_LUMA = (19595, 38470, 7471)
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


@dataclass(frozen=True, eq=False)
class Photo:
    """One upright photograph; its arrays may be shared and read-only. Raises ImageError if they disagree."""

    pixels: np.ndarray  # [h, w, 3] RGB, uint8 or uint16
    alpha: np.ndarray | None = None  # [h, w], straight, of the same dtype
    grey: bool = False  # came from one channel and is saved as one again, the luma of the RGB
    icc_profile: bytes | None = None
    exif: bytes | None = None  # begins with "Exif"; orientation 1, no thumbnail, nothing about the old pixels
    dpi: tuple[float, float] | None = None  # across and down

    def __post_init__(self) -> None:
        pixels, alpha = self.pixels, self.alpha
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
            raise ImageError(f"a photo has pixels of shape {list(pixels.shape)}; give [height, width, 3]")
        if pixels.dtype not in (np.uint8, np.uint16):
            raise ImageError(f"a photo has pixels of type {pixels.dtype}; give uint8 or uint16")
        if alpha is not None and (alpha.shape, alpha.dtype) != (pixels.shape[:2], pixels.dtype):
            raise ImageError(
                f"a photo's alpha is {alpha.dtype} {list(alpha.shape)}; "
                f"give {pixels.dtype} {list(pixels.shape[:2])} as its pixels are"
            )
        if self.dpi is not None and not all(0 < value <= _MAX_DPI for value in self.dpi):
            raise ImageError(f"a photo's resolution is {self.dpi}; give dots per inch up to {_MAX_DPI}, or None")

    def enlarged(self, pixels: np.ndarray, alpha: np.ndarray | None) -> Photo:
        """The same photo with other pixels, of any size, and its metadata."""
        return replace(self, pixels=pixels, alpha=alpha)


def read_photo(source: Path | str | BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS) -> Photo:
    """Reads a file's first picture; a stream is read from where it stands to its end.

    One-channel files come back grey, palettes as RGB, CMYK and Lab as sRGB without their profile.
    Raises ImageError for what is missing, damaged in any way, no image, or larger than ``max_pixels``.
    """
    name = str(source) if isinstance(source, (str, Path)) else _stream_name(source, "standard input")
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


def to_array(photo: Photo) -> np.ndarray:
    """The photo as it is stored: [h, w] grey, [h, w, 2] grey and alpha, [h, w, 3] RGB or [h, w, 4] RGBA."""
    colour = _luma(photo.pixels) if photo.grey else photo.pixels
    return colour if photo.alpha is None else np.dstack([colour, photo.alpha])


def to_pil(photo: Photo) -> Image.Image:
    """The photo in mode L, LA, RGB or RGBA, or I;16 where it is 16-bit grey without alpha.

    Pillow holds no other 16-bit pictures: those are rounded to 8 bits. ``info`` carries the metadata.
    """
    if not (photo.grey and photo.alpha is None):
        photo = _eight_bit(photo)
    image = Image.fromarray(np.ascontiguousarray(to_array(photo)))
    image.info.update(_metadata(photo))
    return image


def format_of(path: Path | str) -> str:
    """The key of ``FORMATS`` that a path's suffix asks for, in either case; raises OptionError for others."""
    suffix = Path(path).suffix.lower()
    for name, suffixes in FORMATS.items():
        if suffix in suffixes:
            return name
    known = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
    raise OptionError(f"{path} does not name a format to write; end it in one of {known}")


def check_storable(photo: Photo, format: str, scale: int = 1) -> None:
    """Raises OutputError if ``format`` cannot hold the photo enlarged ``scale`` times: ask before the work.

    JPEG holds no transparency, TIFF no 16-bit colour or alpha here, JPEG and WebP no side beyond 65500 and
    16383 pixels. Raises OptionError for a format that is not in ``FORMATS``.
    """
    if format not in FORMATS:
        raise OptionError(f"format is {format!r}; choose one of {', '.join(FORMATS)}")
    height, width = (scale * side for side in photo.pixels.shape[:2])
    limit = _MAX_SIDE.get(format, math.inf)
    if max(height, width) > limit:
        raise OutputError(f"the picture is {width}x{height}, {format} ends at {limit} pixels a side; choose png")
    if format == "jpg" and _transparent(photo):
        raise OutputError("the picture is transparent in places, which jpg cannot store; choose png or webp")
    if format == "tiff" and photo.pixels.dtype == np.uint16 and (photo.alpha is not None or not photo.grey):
        raise OutputError("the picture has 16-bit colour or alpha, which is not written as tiff; choose png")


def write_photo(photo: Photo, target: Path | str | BinaryIO, format: str) -> None:
    """Writes the photo with its ICC profile, EXIF and resolution, in a format of ``FORMATS``.

    PNG keeps 16 bits, TIFF keeps them for grey; JPEG (quality 95, 4:4:4) and WebP (quality 95) get 8 bits.
    WebP knows no resolution beside the one in EXIF. A path appears whole or not at all.
    Raises OutputError for what the format cannot hold, before any work, and for what the system refuses;
    OptionError for an unknown format.
    """
    check_storable(photo, format)
    if isinstance(target, (str, Path)):
        with atomic_file(Path(target)) as temporary, temporary.open("wb") as stream:
            _encode(photo, stream, format)
        return
    encoded = io.BytesIO()  # encoders seek, pipes do not
    try:
        _encode(photo, encoded, format)
        target.write(encoded.getbuffer())
        target.flush()
    except OSError as error:
        raise cannot_write(_stream_name(target, "standard output"), error) from error


# Reading


def _stream_name(stream: BinaryIO, default: str) -> str:
    name = getattr(stream, "name", None)  # "<stdin>" for standard input, a number for a descriptor
    return name if isinstance(name, str) and not name.startswith("<") else default


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
        raise ImageError(f"{name} is refused by Pillow ({_line(error)}); give a smaller image") from error
    except UnidentifiedImageError as error:
        formats = ", ".join(_readable())
        raise ImageError(f"{name} is no image, or damaged where it begins; give one of {formats}") from error
    except MemoryError as error:
        raise ImageError(f"{name} does not fit into memory; give a smaller image") from error
    except Exception as error:  # damaged bytes raise nearly anything, from zlib.error to IndexError
        raise ImageError(f"{name} is damaged or cut short ({_line(error)}); give a complete file") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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
    return (x, y) if 0 < x <= _MAX_DPI and 0 < y <= _MAX_DPI else None


# Writing


def _luma(pixels: np.ndarray) -> np.ndarray:
    """[h, w, 3] to [h, w] of the same dtype, rounded; 65535 is the most that fits the 32 bits."""
    total = np.full(pixels.shape[:2], 1 << 15, np.uint32)
    for channel, weight in enumerate(_LUMA):
        total += np.multiply(pixels[..., channel], weight, dtype=np.uint32)
    return (total >> 16).astype(pixels.dtype)


def _eight_bit(photo: Photo) -> Photo:
    if photo.pixels.dtype == np.uint8:
        return photo
    alpha = None if photo.alpha is None else _narrow(photo.alpha)
    return replace(photo, pixels=_narrow(photo.pixels), alpha=alpha)


def _narrow(samples: np.ndarray) -> np.ndarray:
    """uint16 to uint8, rounded: 65535 is 255 times 257."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _transparent(photo: Photo) -> bool:
    return photo.alpha is not None and bool((photo.alpha < np.iinfo(photo.alpha.dtype).max).any())


def _metadata(photo: Photo) -> dict[str, Any]:
    found = {"icc_profile": photo.icc_profile, "exif": photo.exif, "dpi": photo.dpi}
    return {name: value for name, value in found.items() if value is not None}


def _encode(photo: Photo, stream: BinaryIO, format: str) -> None:
    """Writes to a seekable stream; OSError is left to the caller, who knows the name."""
    # WebP knows no grey, and a grey profile does not fit colour.
    if photo.icc_profile and photo.icc_profile[16:20] == b"GRAY" and (format == "webp" or not photo.grey):
        photo = replace(photo, icc_profile=None)
    if format == "jpg":  # any alpha is opaque by now; EXIF beyond one marker is lost
        small = photo.exif is not None and len(photo.exif) <= _MAX_JPEG_EXIF
        photo = replace(photo, alpha=None, exif=photo.exif if small else None)
    try:
        if format == "png" and photo.pixels.dtype == np.uint16:
            png.write_chunks(stream, _deep_png_chunks(photo))
            return
        image = to_pil(photo if format == "tiff" else _eight_bit(photo))
        image.save(stream, _PILLOW_FORMAT[format], **_QUALITY.get(format, {}), **_metadata(photo))
    except (ValueError, ArithmeticError, struct.error, MemoryError) as error:
        raise OutputError(f"the picture cannot be stored as {format} ({_line(error)}); choose another") from error


def _deep_png_chunks(photo: Photo) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a 16-bit PNG, which Pillow cannot write in colour, nor pypng with a profile or EXIF."""
    samples = np.atleast_3d(to_array(photo))
    height, width, channels = samples.shape
    colour_type = {1: 0, 3: 2, 2: 4, 4: 6}[channels]
    yield b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    if photo.icc_profile:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(photo.icc_profile)
    if photo.dpi:
        x, y = (round(value / 0.0254) for value in photo.dpi)
        yield b"pHYs", struct.pack(">IIB", x, y, 1)
    if photo.exif:
        yield b"eXIf", photo.exif[len(b"Exif\0\0") :]
    deflate = zlib.compressobj()
    above = np.zeros(width * channels * 2, np.uint8)
    for row in samples:
        line = np.ascontiguousarray(row, ">u2").view(np.uint8).ravel()
        data = deflate.compress(b"\2" + (line - above).tobytes())  # filter 2: what changed since above
        if data:
            yield b"IDAT", data
        above = line
    yield b"IDAT", deflate.flush()
    yield b"IEND", b""
