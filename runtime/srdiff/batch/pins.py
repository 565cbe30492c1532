"""What decides the pixels of a batch besides its inputs; every worker must have the same."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Dict

import numpy
import PIL

from ..bundle import MANIFEST_NAME
from ..file_hash import sha256_of
from ..jobs.work import JobSettings
from ..model_names import built_in
from ..upscaler import Upscaler

# Plain values by name, as JSON has them.
Pins = Dict[str, Any]


def pins_of(upscaler: Upscaler, settings: JobSettings) -> Pins:
    """The pins of a run with this upscaler. A device's number is none of them, nor is what only says which images are
    made at all.
    """
    from .. import __version__

    engine, manifest = upscaler.engine, upscaler.bundle.manifest
    library = sys.modules.get(engine.name)  # imported when the engine was opened
    pins = {
        "bundle": upscaler.bundle.digest,
        "engine": engine.name,
        "device": re.sub(r":\d+", "", engine.device),
        "precision": engine.precision,
        "threads": upscaler.threads,
        "tile": upscaler.tile,
        "overlap": upscaler.overlap,
        "seed": settings.seed,
        "sampler": (settings.sampler or manifest.sampler()).as_data(),
        **asdict(settings.wanted),
        "crop": None if settings.crop is None else asdict(settings.crop),
        "scale": settings.scale,
        "size": settings.size,
        "quality": settings.quality,
        "versions": {
            "srdiff": __version__,
            engine.name: str(getattr(library, "__version__", None)),
            "numpy": numpy.__version__,
            "pillow": PIL.__version__,
        },
    }
    plain: Pins = json.loads(json.dumps(pins))
    return plain


def fingerprint(pins: Pins) -> str:
    """The pins' settings hash: 16 hexadecimal digits of the SHA-256 of their JSON."""
    return hashlib.sha256(json.dumps(pins, sort_keys=True).encode()).hexdigest()[:16]


def differences(pins: Pins, others: Pins) -> str:
    """What of them is not the same, for a sentence: ``bundle small-v1 for photo, seed 0 for 7``."""
    flat, other = _flat(pins), _flat(others)
    names = [name for name in {**flat, **other} if flat.get(name) != other.get(name)]
    return ", ".join(f"{name} {_word(flat.get(name))} for {_word(other.get(name))}" for name in names)


def _flat(pins: Pins) -> Pins:
    """Without the nesting: ``crop`` stays whole."""
    flat: Pins = {}
    for name, value in pins.items():
        if isinstance(value, dict) and name != "crop":
            flat.update({part if part != "name" else name: inner for part, inner in value.items()})
        else:
            flat[name] = value
    return flat


def _word(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return _models().get(text, text[:12]) if re.fullmatch("[0-9a-f]{64}", text) else text


@lru_cache(maxsize=None)
def _models() -> dict[str, str]:
    """The names of built-in models by the hash of their bundles."""
    models = {}
    for name, folder in built_in().items():
        with suppress(OSError):  # the run may use another
            models[sha256_of(folder / MANIFEST_NAME)] = name
    return models
