"""The settings of a request, from its query and form, through the checks that ``srdiff-run`` has."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Callable, Mapping

from ..bundle import Bundle
from ..diversity import Wanted
from ..errors import OptionError
from ..jobs.work import Crop, JobSettings
from ..manifest import WISHES
from ..photo.write import FORMATS
from .limits import Limits
from .problems import Problem

MEDIA_TYPES = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg", "tiff": "image/tiff"}
MAX_SEED = 2**64 - 1


@dataclass(frozen=True)
class Wish:
    """What is to be made of a photo, and as which file; ``shrink``: of a smaller one where it is too large."""

    model: str
    settings: JobSettings
    format: str
    shrink: bool = False

    def canonical(self) -> dict[str, Any]:
        """All that the result depends on, and nothing else, as JSON types."""
        settings = asdict(self.settings)
        del settings["max_pixels"], settings["overwrite"]
        return {**settings, "format": self.format}

    @property
    def part_names(self) -> list[str]:
        """Of the results, in the order in which they are made."""
        wanted = self.settings.wanted
        names = ["mean"] if wanted.average else [str(number + 1) for number in range(wanted.samples)]
        return names + (["uncertainty"] if wanted.uncertainty else [])


def wish_of(fields: Mapping[str, str], models: Mapping[str, Bundle], accept: str | None, limits: Limits) -> Wish:
    """Read a request's fields.

    Args:
        fields: by name; those that are missing have the defaults of ``srdiff-run``.
        models: that are served; the first one is the default.
        accept: the header, which decides where there is no field ``format``.

    Raises:
        OptionError, Problem: a field is unknown or outside what it may be, or no format suits.
    """
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        raise OptionError(f"field {unknown[0][:40]!r} is unknown; there are {', '.join(FIELDS)}")
    given = {name: FIELDS[name](name, text) for name, text in fields.items()}
    model = given.get("model", next(iter(models)))
    if model not in models:
        raise OptionError(f"model {model[:40]!r} is not served; choose one of {', '.join(models)}")
    wanted = Wanted(*(given.get(name, default) for name, default in _WANTED.items()))
    if wanted.samples > limits.samples:
        raise OptionError(f"samples is {wanted.samples}; this service takes up to {limits.samples}")
    sampler = models[model].manifest.sampler(*(given.get(name) for name in WISHES))
    settings = JobSettings(
        seed=given.get("seed", 0),
        sampler=sampler,
        wanted=wanted,
        max_pixels=limits.decoded_pixels,
        crop=given.get("crop"),
        scale=given.get("scale"),
        size=given.get("size"),
        quality=given.get("quality"),
    )
    return Wish(model, settings, given.get("format") or accepted_format(accept), given.get("shrink", False))


def accepted_format(accept: str | None) -> str:
    """The format of ``FORMATS`` that an Accept header asks for; png where it takes all.

    Raises:
        Problem: it takes none.
    """
    quality = {}
    for entry in (accept or "*/*").lower().split(","):
        media_type, *parameters = (word.strip() for word in entry.split(";"))
        match = [re.fullmatch(r"q\s*=\s*([01](?:\.\d{0,3})?)", word) for word in parameters]
        quality[media_type] = next((float(found.group(1)) for found in match if found), 1.0)
    best, format = max(
        (quality.get(media_type, quality.get("image/*", quality.get("*/*", 0.0))), -rank, name)
        for rank, (name, media_type) in enumerate(MEDIA_TYPES.items())
    )[::2]
    if best <= 0:
        raise Problem(406, "format", f"none of the accepted types is written here; take {', '.join(FORMATS)}")
    return format


def _text(name: str, text: str) -> str:
    return text


def _whole(least: int, most: int | None = None) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if re.fullmatch(r"\d{1,20}", text, re.ASCII) is None or int(text) < least or (most and int(text) > most):
            raise OptionError(f"{name} is {text[:40]!r}; it is a whole number, {least} to {most or 'what fits'}")
        return int(text)

    return read


def _share(name: str, text: str) -> float:
    if re.fullmatch(r"\d{1,3}(\.\d{0,20})?", text, re.ASCII) is None:
        raise OptionError(f"{name} is {text[:40]!r}; it is a number from 0 to 1")
    return float(text)


def _switch(name: str, text: str) -> bool:
    if text.lower() not in ("true", "1", "on", "false", "0", "off", ""):
        raise OptionError(f"{name} is {text[:40]!r}; it is true or false")
    return text.lower() in ("true", "1", "on")


def _size(name: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text, re.ASCII)
    if match is None:
        raise OptionError(f"{name} is {text[:40]!r}; write it like 1920x1080")
    return int(match.group(1)), int(match.group(2))


def _crop(name: str, text: str) -> Crop:
    match = re.fullmatch(r"(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})", text, re.ASCII)
    if match is None:
        raise OptionError(f"{name} is {text[:40]!r}; write left, top, width and height like 100,50,200,200")
    return Crop(*map(int, match.groups()))


def _format(name: str, text: str) -> str:
    if text not in FORMATS:
        raise OptionError(f"{name} is {text[:40]!r}; choose one of {', '.join(FORMATS)}")
    return text


_WANTED = {"samples": 1, "average": False, "uncertainty": False, "consistency": False}
# By name, how its text is read.
FIELDS: dict[str, Callable[[str, str], Any]] = {
    "model": _text,
    "seed": _whole(0, MAX_SEED),
    "preset": _text,
    "sampler": _text,
    "steps": _whole(1),
    "eta": _share,
    "spacing": _text,
    "fidelity": _share,
    "samples": _whole(1),
    "average": _switch,
    "uncertainty": _switch,
    "consistency": _switch,
    "scale": _whole(1),
    "size": _size,
    "crop": _crop,
    "shrink": _switch,
    "format": _format,
    "quality": _whole(1, 100),
}
