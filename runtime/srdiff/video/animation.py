"""Animated GIF, WebP and PNG: whole pictures with their durations in, and out again; needs nothing but Pillow."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from ..atomic_files import atomic_file, make_folder, require_writable
from ..errors import ImageError, OptionError
from ..jobs.work import JobSettings
from ..machine import usable_memory
from ..photo.convert import eight_bit
from ..photo.decoding import decoding, open_image
from ..photo.photo import Photo
from ..photo.png_file import PngHeader, check_png, png_header
from ..photo.png_metadata import PACKED
from ..photo.png_open import open_png, png_frames
from ..photo.png_output import MAX_PACKED
from ..progress import Progress
from ..unfinished_files import remove_leftovers
from ..upscaler import Upscaler
from .frames import FrameMaker, Made, Tell, refuse_stream

# As Pillow calls them, by suffix.
FORMATS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".apng": "PNG"}
_MAX_SIDE = {"GIF": 65535, "WEBP": 16383}
_TICKS = {"GIF": 10.0, "WEBP": 1.0}  # milliseconds that durations are whole numbers of
_MAX_PLAYS = {"GIF": 65536, "WEBP": 65535, "PNG": (1 << 32) - 1}  # a GIF counts those after the first
_MOST = 20_000  # pictures, of which the least are read in seconds
_OPAQUE = 128  # of alpha, from which on a GIF's pixel is seen
_COLOURS = 255  # of a GIF, which needs one for transparency
_SAMPLE = 1 << 20  # pixels that its palette is made from


@dataclass(frozen=True)
class Animation:
    """What a file says of its animation, and its pictures.

    Attributes:
        photos: each as it is shown, whole, with transparency where there is any.
        durations: of each, in milliseconds.
        plays: how often it is shown, 0 for ever. A GIF says how often more than once, the others how often.
        lossless: whether its pictures are stored without loss.
        extra: what else belongs to it, by Pillow's names.
        still: a further picture stands before it, for readers that know no animation.
        deep: its samples have 16 bits, of which 8 are read.
    """

    photos: list[Photo]
    durations: list[float]
    plays: int
    lossless: bool
    extra: dict[str, Any]
    still: bool
    deep: bool


def read_animation(path: Path, max_pixels: int) -> Animation:
    """Reads it.

    Raises:
        ImageError: it is none, damaged, its pictures are larger than ``max_pixels``, more than 20,000, or all of them
            together need more than a quarter of the memory.
    """
    name = str(path)
    refuse_stream(path)
    with decoding(name):
        try:
            stream = path.open("rb")
        except OSError as error:
            raise ImageError(
                f"{name} cannot be read ({error.strerror}); give an animation that you may read"
            ) from error
        with stream:
            png = png_header(stream.read(32))
            image = _opened(stream, png, name, max_pixels)
            count = getattr(image, "n_frames", 1)
            still = bool(image.info.get("default_image"))
            if count - still < 2:
                raise ImageError(f"{name} holds one picture; srdiff-run enlarges it")
            photos, durations = [], []
            for number in range(int(still), count):
                image.seek(number)
                image.load()
                photos.append(_photo(image))
                durations.append(float(image.info.get("duration") or 0))
            plays = _plays(image)
            extra = {key: image.info[key] for key in ("icc_profile", "exif", "xmp", "comment") if image.info.get(key)}
            deep = png is not None and png.depth == 16
            return Animation(photos, durations, plays, _lossless(image, stream), extra, still, deep)


def enlarge_animation(source: Path, target: Path, upscaler: Upscaler, settings: JobSettings, tell: Tell) -> Made:
    """An animation as a larger one, in any of the three formats; pictures, durations and repetitions stay.

    Raises:
        ImageError: see :func:`read_animation`; or the result would not fit into the memory or its format.
        OptionError: the target is of no such format.
        OutputError: the target cannot be written.
    """
    started = time.perf_counter()
    format = FORMATS.get(target.suffix.lower())
    if format is None:
        raise OptionError(f"{source} is an animation and stays one; give {', '.join(FORMATS)} as suffix, not {target}")
    animation = read_animation(source, settings.max_pixels)
    maker = FrameMaker(upscaler, settings)
    height, width = animation.photos[0].pixels.shape[:2]
    size = maker.size(width, height)
    _refuse_result(source, format, size, len(animation.photos))
    require_writable(target)
    remove_leftovers(target.parent)
    total = len(animation.photos)
    made = []
    for number, photo in enumerate(animation.photos):

        def watch(progress: Progress, number: int = number) -> None:
            tell(number + progress.done / progress.total, 0, total)

        made.append(_picture(maker.make(photo, watch)))
        tell(number + 1, 0, total)
    if len({picture.mode for picture in made}) > 1:
        made = [picture.convert("RGBA") for picture in made]
    unkept = _not_carried(animation, format)
    if format == "GIF":
        made, lost = _with_palette(made)
        unkept.append(lost)
    make_folder(target)
    with atomic_file(target, replace=settings.overwrite) as temporary:
        _save(made, animation, format, temporary)
    return Made(total, 0, size, format, unkept, False, time.perf_counter() - started)


def _opened(stream: BinaryIO, png: PngHeader | None, name: str, max_pixels: int) -> Image.Image:
    """Its pictures are not too large, and as many as the file says."""
    if png is None:
        image = open_image(stream, ["GIF", "WEBP"], name)
        _refuse_large(name, image.size, max_pixels)
    else:
        _refuse_large(name, (png.width, png.height), max_pixels)
        image = open_png(stream, check_png(stream, png, name, PACKED), name)
        said, held = getattr(image, "n_frames", 1), png_frames(stream)
        if said != held:
            raise ImageError(f"{name} says that it has {said} pictures and holds {held}; give a complete file")
    width, height = image.size
    count = getattr(image, "n_frames", 1)
    if count > _MOST:
        raise ImageError(f"{name} has {count} pictures and an animation ends at {_MOST}; give it as a film")
    if 4 * width * height * count > usable_memory() // 4:
        raise ImageError(f"{name} has more pictures than fit into memory; give a shorter animation, or a film")
    return image


def _refuse_large(name: str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has pictures of {width}x{height} and max_pixels is {max_pixels}; raise that to {width * height}, "
            "or give a smaller animation"
        )


def _plays(image: Image.Image) -> int:
    """How often the whole is shown; a GIF that does not say is shown once."""
    loop = image.info.get("loop")
    if image.format != "GIF":
        return loop or 0
    return 1 if loop is None else loop + 1 if loop else 0


def _refuse_result(source: Path, format: str, size: tuple[int, int], count: int) -> None:
    limit = _MAX_SIDE.get(format)
    if limit is not None and max(size) > limit:
        raise ImageError(f"the result of {source} is {size[0]}x{size[1]} and {format} ends at {limit}; give less scale")
    if 8 * size[0] * size[1] * count > usable_memory() // 2:  # the pictures, and what Pillow writes from
        raise ImageError(f"the result of {source} does not fit into memory; give less scale, or a shorter animation")


def _photo(image: Image.Image) -> Photo:
    """The picture that is shown now."""
    if image.mode.startswith("I"):  # 16-bit grey
        return eight_bit(Photo(np.repeat(np.asarray(image).astype(np.uint16)[..., None], 3, axis=2)))
    samples = np.asarray(image.convert("RGBA"))
    alpha = np.ascontiguousarray(samples[..., 3])
    return Photo(np.ascontiguousarray(samples[..., :3]), None if alpha.min() == 255 else alpha)


def _lossless(image: Image.Image, stream: Any) -> bool:
    if image.format != "WEBP":
        return True
    stream.seek(0)
    data = stream.read()
    first = data.find(b"ANMF")
    return data[first + 24 : first + 28] == b"VP8L"


def _picture(photo: Photo) -> Image.Image:
    samples = photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])
    return Image.fromarray(np.ascontiguousarray(samples))


def _not_carried(animation: Animation, format: str) -> list[str]:
    kept = {"GIF": ("comment",), "WEBP": ("icc_profile", "exif", "xmp"), "PNG": ("icc_profile", "exif")}[format]
    words = {"icc_profile": "ICC profile", "exif": "EXIF", "xmp": "XMP", "comment": "comment"}
    unkept = [words[key] for key in animation.extra if key not in kept]
    profile = len(animation.extra.get("icc_profile", b""))
    if format == "PNG" and profile > MAX_PACKED:
        unkept.append(f"ICC profile ({profile} bytes, more than readers take)")
    exact, stored = (list(accumulate(times)) for times in (animation.durations, _ticked(animation.durations, format)))
    off = max(abs(end - said) for end, said in zip(exact, stored))
    if off > 1:
        unkept.append(f"times of its pictures (up to {off:.0f} ms off)")
    if animation.plays > _MAX_PLAYS[format]:
        unkept.append(f"{animation.plays} repetitions ({_MAX_PLAYS[format]} are)")
    if animation.still:
        unkept.append("the still picture before the animation")
    if animation.deep:
        unkept.append("16 bits (8 are)")
    return unkept


def _with_palette(pictures: list[Image.Image]) -> tuple[list[Image.Image], str]:
    """The pictures with one palette for all, so that what stands still stays still, and what that loses, in words.

    Colours are the palette's nearest; a dither that spreads its error would move with whatever moves before it.
    """
    frames = [np.asarray(picture) for picture in pictures]
    stride = max(1, sum(frame.shape[0] * frame.shape[1] for frame in frames) // _SAMPLE)
    seen = [frame[..., :3][_visible(frame)][::stride] for frame in frames]
    sample = np.concatenate([*seen, np.zeros((1, 3), np.uint8)])
    palette = Image.fromarray(sample[None]).quantize(_COLOURS, Image.Quantize.MEDIANCUT, kmeans=1)
    made, off, count = [], 0.0, 0
    for frame in frames:
        indexed = Image.fromarray(np.ascontiguousarray(frame[..., :3])).quantize(
            palette=palette, dither=Image.Dither.NONE
        )
        visible = _visible(frame)
        difference = np.abs(np.asarray(indexed.convert("RGB")).astype(np.int16) - frame[..., :3])[visible]
        off, count = off + float(difference.sum()), count + difference.size
        if frame.shape[2] == 4:
            indexed.paste(_COLOURS, mask=Image.fromarray(~visible))
            indexed.info["transparency"] = _COLOURS
        made.append(indexed)
    soft = any(frame.shape[2] == 4 and ((frame[..., 3] > 0) & (frame[..., 3] < 255)).any() for frame in frames)
    lost = f"more than {_COLOURS} colours (off by {off / max(count, 1):.1f} levels on average)"
    return made, lost + (", half-transparent pixels (seen or not)" if soft else "")


def _visible(frame: np.ndarray) -> np.ndarray:
    return frame[..., 3] >= _OPAQUE if frame.shape[2] == 4 else np.ones(frame.shape[:2], bool)


def _ticked(durations: list[float], format: str) -> list[float]:
    """Durations as the format has them: each picture ends at the tick nearest to its time, and is there for one."""
    if format not in _TICKS:
        return durations
    tick, ends = _TICKS[format], [0]
    for duration, end in zip(durations, accumulate(durations)):
        ends.append(max(round(end / tick), ends[-1] + (duration > 0)))
    return [int((end - before) * tick) for before, end in zip(ends, ends[1:])]


def _save(pictures: list[Image.Image], animation: Animation, format: str, path: Path) -> None:
    options: dict[str, Any] = {**animation.extra, "duration": _ticked(animation.durations, format)}
    plays = min(animation.plays, _MAX_PLAYS[format])
    if format != "GIF":
        options["loop"] = plays
    elif plays != 1:
        options["loop"] = plays - 1 if plays else 0
    if format == "PNG" and len(options.get("icc_profile", b"")) > MAX_PACKED:
        del options["icc_profile"]
    if format == "GIF":
        transparent = any("transparency" in picture.info for picture in pictures)
        options.update(optimize=False, disposal=2 if transparent else 0)
    elif format == "WEBP":
        options.update(lossless=animation.lossless, quality=95, method=4)
    else:
        options.update(disposal=0, blend=0)
    pictures[0].save(path, format, save_all=True, append_images=pictures[1:], **options)
