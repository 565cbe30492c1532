"""Arrays and Pillow images to photographs and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError
from .colour_tags import profile_of
from .decoding import decoding
from .exif import DAMAGED, Carried
from .metadata import current_exif, dpi_of, exif_of, loaded_exif, lost_of, orientation_of, texts_of
from .neutral import luma
from .photo import Photo
from .samples import MANAGED, from_unit_range, split, stored_samples, upright, with_key_colour


def photo_from(image: Image.Image | np.ndarray) -> Photo:
    """A photo from a Pillow image, treated as its file would be, or from an array.

    An array is uint8, uint16, or float in [0, 1] (which becomes uint16), of shape [h, w] or [h, w, 1] (grey),
    [h, w, 2] (grey, alpha), [h, w, 3] (RGB) or [h, w, 4] (RGBA). Raises ImageError for anything else.
    """
    if isinstance(image, Image.Image):
        with decoding("the image"):
            stored = exif_of(image)
            image.load()
            exif = current_exif(image, exif_of(image) if stored == Carried() else stored)
            return photo_of(image, stored_samples(image), exif)
    if not isinstance(image, np.ndarray):
        raise ImageError(f"an image was given as {type(image).__name__}; give a Pillow image or a NumPy array")
    if image.size == 0 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (2,), (3,), (4,)):
        raise ImageError(f"an array has shape {list(image.shape)}; give [height, width] or 1 to 4 channels last")
    if image.dtype.kind == "f":
        image = from_unit_range(image)
    if image.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise ImageError(f"an array has type {image.dtype}; give uint8, uint16, or float in [0, 1]")
    return Photo(*split(image))


def photo_of(image: Image.Image, stored: np.ndarray, exif: Carried | None = None) -> Photo:
    """Joins a loaded image's samples with its metadata, upright; the EXIF is the file's where none is given."""
    key = image.info.get("transparency")
    if isinstance(key, (int, tuple)) and np.shape(key) == stored.shape[2:]:
        stored = with_key_colour(stored, 255 * bool(key) if image.mode == "1" else key)
    # Pillow turns TIFF itself, some versions without resetting the tag; pillow-heif turns HEIF.
    exif = exif_of(image) if exif is None else exif
    values = Image.Exif() if exif == DAMAGED else loaded_exif(image)
    orientation = 1 if image.format in ("TIFF", "HEIF", "AVIF") else orientation_of(values)
    pixels, alpha, grey = split(upright(stored, orientation))
    profile = None if image.mode in MANAGED else image.info.get("icc_profile") or None
    lost = exif.lost + lost_of(image)
    return Photo(pixels, alpha, grey, profile, exif.exif, dpi_of(image, values), lost=lost, **texts_of(image))


def to_array(photo: Photo) -> np.ndarray:
    """The photo as it is stored: [h, w] grey, [h, w, 2] grey and alpha, [h, w, 3] RGB or [h, w, 4] RGBA."""
    colour = luma(photo.pixels) if photo.grey else photo.pixels
    return colour if photo.alpha is None else np.dstack([colour, photo.alpha])


def to_pil(photo: Photo) -> Image.Image:
    """The photo in mode L, LA, RGB or RGBA, or I;16 where it is 16-bit grey without alpha.

    Pillow holds no other 16-bit pictures: those are rounded to 8 bits. ``info`` carries the metadata.
    """
    if not (photo.grey and photo.alpha is None):
        photo = eight_bit(photo)
    image = Image.fromarray(np.ascontiguousarray(to_array(photo)))
    image.info.update(pillow_info(photo))
    return image


def eight_bit(photo: Photo) -> Photo:
    """The photo with uint8 samples, rounded."""
    if photo.pixels.dtype == np.uint8:
        return photo
    alpha = None if photo.alpha is None else _narrow(photo.alpha)
    return replace(photo, pixels=_narrow(photo.pixels), alpha=alpha)


def _narrow(samples: np.ndarray) -> np.ndarray:
    """uint16 to uint8, rounded: 65535 is 255 times 257."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def pillow_info(photo: Photo) -> dict[str, Any]:
    """What belongs to the photo under the names that Pillow's ``info`` and ``save`` know.

    What PNG says about colour without a profile becomes one, where there is one that says it.
    """
    profile = profile_of(photo, photo.grey)
    found = {"icc_profile": profile, "exif": photo.exif, "dpi": photo.dpi, "xmp": photo.xmp}
    return {name: value for name, value in found.items() if value is not None}
