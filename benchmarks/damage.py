"""What of an input's damage is still there in the result: blocks, noise, ripples, all in levels of 255.

    python benchmarks/damage.py

Inputs are made of pictures whose truth is known: photos, shrunk and put through JPEG; a grey field with noise; an edge
and a sky through JPEG. Bicubic, which enlarges whatever is there, is what to compare with.
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator

import click
import numpy as np
import skimage.data
from common.commands import insert_options, show, typed_command, under, write_json
from common.tables import table
from PIL import Image

from srdiff import Upscaler
from srdiff.commands.command import Command
from srdiff.cpu import this_cpu
from srdiff.resize import bicubic

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")  # skimage.data's, all in the public domain or CC0
SCALE, BLOCK = 4, 8
SIDE = 72  # of an input
STRIDE = 108  # of crops, in pixels of the truth
QUALITIES, SIGMAS = (25, 40, 60), (5, 10, 20)
DARK, LIGHT = 90.0, 200.0  # of the edge
REACH = 3  # pixels to each side of a border whose means make its step
RIM = 4  # input pixels that no measure looks at
Enlarge = Callable[[np.ndarray], np.ndarray]


@click.command(cls=Command)
@click.option("--model", "models", multiple=True, default=("clean", "photo"), show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write what was measured here.")
@insert_options("damage")
def main(models: tuple[str, ...], json_file: Path | None, insert_file: Path | None, mark: str) -> None:
    """How much damage bicubic and models leave in the result."""
    upscalers = {model: Upscaler.from_bundle(model) for model in models}
    ways: dict[str, Enlarge] = {"bicubic": lambda small: bicubic(small, SCALE * SIDE, SCALE * SIDE)}
    ways.update({model: upscaler.upscale for model, upscaler in upscalers.items()})
    rows = [
        {"damage": damage, "left": {way: float(measure(enlarge)) for way, enlarge in ways.items()}}
        for damage, measure in MEASURES.items()
    ]
    engine = next(iter(upscalers.values())).engine
    document = {
        "command": typed_command("damage.py"),
        "engine": f"{engine.name} {engine.precision} on {engine.device}",
        "cpu": str(this_cpu()),
        "photos": PHOTOS,
        "rows": rows,
    }
    if json_file is not None:
        write_json(json_file, document)
    show(markdown(document), insert_file, mark)


def markdown(document: dict[str, Any]) -> str:
    """The table, the command that made it and its conditions."""
    ways = list(document["rows"][0]["left"])
    cells = [[row["damage"], *(f"{row['left'][way]:.2f}" for way in ways)] for row in document["rows"]]
    text = f"{document['engine']}, {document['cpu']}; photos: {', '.join(document['photos'])}."
    return under(document["command"], f"{text}\n\n{table(['Damage', *ways], cells)}")


def truths() -> Iterator[np.ndarray]:
    """Crops of the photos, [4 * SIDE, 4 * SIDE, 3], of which each has its blocks elsewhere."""
    side = SCALE * SIDE
    for name in PHOTOS:
        photo = getattr(skimage.data, name)()
        for top in range(0, photo.shape[0] - side + 1, STRIDE):
            for left in range(0, photo.shape[1] - side + 1, STRIDE):
                yield photo[top : top + side, left : left + side]


def blocks(quality: int, enlarge: Enlarge) -> float:
    """By how much steps across JPEG's block borders are larger than those inside blocks, beside what the truth has."""
    found = [excess(enlarge(through_jpeg(bicubic(hr, SIDE, SIDE), quality))) - excess(hr) for hr in truths()]
    return float(np.mean(found))


def excess(result: np.ndarray) -> float:
    """Of the steps in a result [h, w, 3] whose input's blocks begin at its corner."""
    grey = result.astype(np.float64).mean(axis=2)
    return float(np.mean([step(image, BLOCK) - step(image, *range(1, BLOCK)) for image in (grey, grey.T)]))


def step(grey: np.ndarray, *firsts: int) -> float:
    """Mean size of the steps between rows, at these input rows and at every block's height from there."""
    places = [place for first in firsts for place in range(SCALE * first, grey.shape[0] - REACH, SCALE * BLOCK)]
    steps = [grey[place : place + REACH].mean(axis=0) - grey[place - REACH : place].mean(axis=0) for place in places]
    return float(np.abs(steps).mean())


def noise(sigma: int, enlarge: Enlarge) -> float:
    """Standard deviation of a result, of the grey field that is what is true."""
    noisy = np.random.default_rng(0).normal(128, sigma, (SIDE, SIDE, 3))
    return float(inner(enlarge(levels(noisy))).std())


def ripples(quality: int, enlarge: Enlarge) -> float:
    """Root mean square error beside a slanted edge between two flat tones, from 2 to 8 input pixels away from it."""
    rows, columns = np.mgrid[: SCALE * SIDE, : SCALE * SIDE]
    away = (columns - SCALE * SIDE / 2 + 0.2 * (rows - SCALE * SIDE / 2)) / np.hypot(1, 0.2) / SCALE
    hr = levels(np.where(away < 0, DARK, LIGHT)[..., None].repeat(3, axis=2))
    error = inner(enlarge(through_jpeg(bicubic(hr, SIDE, SIDE), quality))).astype(np.float64) - inner(hr)
    beside = (np.abs(inner(away)) > 2) & (np.abs(inner(away)) < 8)
    return float(np.sqrt(np.mean(error[beside] ** 2)))


def sky(quality: int, enlarge: Enlarge) -> float:
    """Root mean square error of a sky, one tone running into another."""
    down = np.linspace(0, 1, SCALE * SIDE)[:, None, None]
    hr = np.broadcast_to((1 - down) * [40, 70, 130] + down * [235, 160, 110], (SCALE * SIDE, SCALE * SIDE, 3))
    error = inner(enlarge(through_jpeg(bicubic(levels(hr), SIDE, SIDE), quality))) - inner(hr)
    return float(np.sqrt(np.mean(error**2)))


def through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def levels(pixels: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


def inner(result: np.ndarray) -> np.ndarray:
    return result[SCALE * RIM : -SCALE * RIM, SCALE * RIM : -SCALE * RIM]


MEASURES: dict[str, Callable[[Enlarge], float]] = {
    **{f"blocks, JPEG at quality {quality}": partial(blocks, quality) for quality in QUALITIES},
    **{f"noise of {sigma} levels": partial(noise, sigma) for sigma in SIGMAS},
    **{f"ripples beside an edge, JPEG at quality {quality}": partial(ripples, quality) for quality in QUALITIES[:2]},
    f"a sky, JPEG at quality {QUALITIES[0]}": partial(sky, QUALITIES[0]),
}

if __name__ == "__main__":
    main()
