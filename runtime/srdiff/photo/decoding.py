"""Whatever decoders do about damaged bytes, as one ImageError."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import Iterator

from PIL import Image, UnidentifiedImageError

from ..errors import ImageError, one_line
from .formats import readable_formats


@contextmanager
def decoding(name: str) -> Iterator[None]:
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
        formats = ", ".join(readable_formats())
        raise ImageError(f"{name} is no image, or damaged where it begins; give one of {formats}") from error
    except MemoryError as error:
        raise ImageError(f"{name} does not fit into memory; give a smaller image") from error
    except Exception as error:  # damaged bytes raise nearly anything, from zlib.error to IndexError
        raise ImageError(f"{name} is damaged or cut short ({one_line(error)}); give a complete file") from error
