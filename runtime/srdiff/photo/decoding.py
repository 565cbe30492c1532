"""Whatever decoders do about damaged bytes, as one ImageError."""

from __future__ import annotations

import ctypes
import io
import logging
import struct
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, BinaryIO, Iterator

from PIL import Image, UnidentifiedImageError, _imaging

from ..errors import ImageError, OptionError, one_line
from .formats import load_decoders, readable_formats
from .patience import Patient, check_scans
from .quiet import without_warnings

# Pillow's log of damaged files goes where a program sends it; to standard error only if it sends it there.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def open_image(stream: BinaryIO, formats: list[str], name: str) -> Image.Image:
    """``Image.open`` without Pillow's own limit of pixels, so that the caller's is the only one.

    Raises UnidentifiedImageError for bytes that are in none of the formats, ImageError for those that would take
    decoders far longer than any that people make.
    """
    patient: Any = Patient(stream, stream.seek(0, io.SEEK_END), name)
    stream.seek(0)
    load_decoders()
    head = stream.read(16)
    for format in formats:
        factory, accept = Image.OPEN[format]
        if accept and accept(head) not in (True, 1):
            continue
        stream.seek(0)
        try:
            image = factory(patient, "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
        if format == "JPEG":
            check_scans(stream, name)
        return image
    raise UnidentifiedImageError("no format knows it")


@lru_cache(maxsize=None)
def silence_libtiff() -> None:
    """Keeps libtiff from writing lines of its own to standard error about damaged files, for the whole process.

    What it says is in no exception, and the file is refused by name anyway. Where Pillow is built so that its libtiff
    cannot be reached, the lines stay.
    """
    with suppress(OSError, AttributeError):
        # Symbols of the libraries that this one needs are found through it.
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turns everything that decoders do about damaged bytes, warnings included, into one ImageError."""
    try:
        with without_warnings():
            yield
    except (ImageError, OptionError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is refused by Pillow ({one_line(error)}); give a smaller image") from error
    except UnidentifiedImageError as error:
        formats = ", ".join(readable_formats())
        raise ImageError(f"{name} is no image, or damaged where it begins; give one of {formats}") from error
    except MemoryError as error:
        raise ImageError(f"{name} does not fit into memory; give a smaller image") from error
    except Exception as error:  # damaged bytes raise nearly anything, from zlib.error to IndexError
        raise ImageError(f"{name} is damaged or cut short ({one_line(error)}); give a complete file") from error
