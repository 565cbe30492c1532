"""Results on disk: made once, measured once, taken up again when the command is."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import numpy as np
from PIL import Image

from grading.methods import Method
from grading.metrics import MetricSuite, Scores, spread
from grading.photos import Subjects
from srdiff.atomic_files import atomic_file
from srdiff_training.measure.fidelity import mean


@dataclass(frozen=True)
class MethodResults:
    """A method's results on a data set.

    Attributes:
        method: what made them.
        scores: per image, per seed.
        seconds: per image, per seed; without compiling.
    """

    method: Method
    scores: dict[str, list[Scores]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def image_mean(self, image: str, key: str) -> float | None:
        return mean([entry[key] for entry in self.scores[image]])

    def mean(self, key: str) -> float | None:
        """Over images and seeds."""
        return mean([self.image_mean(image, key) for image in self.scores])

    def spread(self, key: str) -> float | None:
        """Standard deviation over seeds of the data set's mean; None for one seed."""
        seeds = range(self.method.seeds)
        return spread([mean([entries[seed][key] for entries in self.scores.values()]) for seed in seeds])

    @property
    def mean_seconds(self) -> float | None:
        return mean([value for values in self.seconds.values() for value in values])


class Store:
    """A folder of results: a PNG and a JSON per method, seed and image.

    A result is taken as it is if the image, the model, the engine's version, the runtime's code and the
    setting are those that it was made with; its scores, if the same measures were taken with the same border.
    """

    def __init__(self, folder: Path, suite: MetricSuite) -> None:
        self.folder = folder
        self.suite = suite

    def path(self, data: str, method: Method, seed: int, image: str) -> Path:
        return self.folder / data / slug(method.label) / str(seed) / f"{image}.png"

    def load(self, data: str, method: Method, seed: int, image: str) -> np.ndarray:
        return read_png(self.path(data, method, seed, image))

    def measure(
        self, data: Subjects, methods: list[Method], scale: int, advance: Callable[[str], None]
    ) -> list[MethodResults]:
        """Every method on every image, image by image.

        Args:
            advance: called with a label after each result.
        """
        rows = [MethodResults(method) for method in methods]
        for pair in data.pairs:
            hr, lr = pair.load(scale)
            pixels = pixels_hash(lr) if hr is None else pixels_hash(hr, lr)
            for row in rows:
                for seed in range(row.method.seeds):
                    entry = self._result(data.name, pair.name, row.method, seed, hr, lr, pixels)
                    row.scores.setdefault(pair.name, []).append(entry["metrics"])
                    row.seconds.setdefault(pair.name, []).append(entry["seconds"])
                    advance(f"{data.name} {pair.name}: {row.method.label}")
        return rows

    def _result(
        self, data: str, image: str, method: Method, seed: int, hr: np.ndarray | None, lr: np.ndarray, pixels: str
    ) -> dict[str, Any]:
        path = self.path(data, method, seed, image)
        record = path.with_suffix(".json")
        made_of = digest({"pixels": pixels, "seed": seed, **method.identity()})
        measured_with = digest(self.suite.identity)
        entry = _read_record(record)
        result = None
        if entry.get("made_of") != made_of or not path.is_file():
            method.prepare(lr)
            started = time.perf_counter()
            result = method.make(lr, seed, lambda other, index: self.load(data, other, index, image))
            entry = {"made_of": made_of, "seconds": time.perf_counter() - started}
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as temporary:
                Image.fromarray(result).save(str(temporary), "PNG")
        if entry.get("measured_with") != measured_with:
            result = read_png(path) if result is None else result
            entry = {**entry, "measured_with": measured_with, "metrics": self.suite(hr, lr, result)}
            with atomic_file(record) as temporary:
                temporary.write_text(json.dumps(entry, indent=1) + "\n", encoding="utf-8")
        return entry


def slug(text: str) -> str:
    """A label as part of a path."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text)


def pixels_hash(*images: np.ndarray) -> str:
    found = hashlib.sha256(repr(images[0].shape).encode())
    for image in images:
        found.update(image.tobytes())
    return found.hexdigest()


def digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_png(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def _read_record(path: Path) -> dict[str, Any]:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entry if isinstance(entry, dict) else {}
