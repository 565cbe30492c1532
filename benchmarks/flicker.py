"""How much a film flickers, by the noise that its frames get.

    python benchmarks/flicker.py

A window moves over a photo by whole pixels of the result, so the true frames, moved back, are the same: whatever else
changes from frame to frame is flicker. Frames get the same noise field, a fresh one each, or one that moves with them.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable

import click
import numpy as np
import skimage.data
from common.commands import insert_options, show, typed_command, under, write_json
from common.tables import table

from srdiff import Upscaler
from srdiff.commands.command import Command
from srdiff.cpu import this_cpu
from srdiff.noise import philox_noise
from srdiff.resize import bicubic

PHOTOS = ("astronaut", "chelsea", "coffee")  # skimage.data's, all in the public domain or CC0
MARGIN = 8  # input pixels at each border, whose surroundings are not seen in both frames
MOTIONS = {0: "stands still", 2: "moves by half an input pixel", 4: "moves by an input pixel"}
FRESH, SAME, MOVING = "fresh", "same", "moves along"
# (input, number of the frame, how far it has moved) -> result
Enlarge = Callable[[np.ndarray, int, int], np.ndarray]


@click.command(cls=Command)
@click.option("--model", "models", multiple=True, default=("photo", "clean", "small-v1"), show_default=True)
@click.option("--size", type=click.IntRange(4 * MARGIN), default=48, show_default=True, help="Side of a frame.")
@click.option("--frames", type=click.IntRange(2), default=2, show_default=True, help="Of each clip.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write what was measured here.")
@insert_options("flicker")
def main(
    models: tuple[str, ...], size: int, frames: int, json_file: Path | None, insert_file: Path | None, mark: str
) -> None:
    """Mean change between frames that are moved onto each other, in levels of 255."""
    upscalers = [Upscaler.from_bundle(model) for model in models]
    rows = [_row("bicubic", "none", lambda small, *_: bicubic(small, 4 * size, 4 * size), size, frames)]
    for model, upscaler in zip(models, upscalers):
        enlarger = Enlarger(upscaler)
        rows += [_row(model, noise, partial(enlarger.enlarge, noise), size, frames) for noise in (FRESH, SAME, MOVING)]
    engine = upscalers[0].engine
    document = {
        "command": typed_command("flicker.py"),
        "engine": f"{engine.name} {engine.precision} on {engine.device}",
        "cpu": str(this_cpu()),
        "size": size,
        "frames": frames,
        "photos": PHOTOS,
        "rows": rows,
    }
    if json_file is not None:
        write_json(json_file, document)
    show(markdown(document), insert_file, mark)


def _row(model: str, noise: str, enlarge: Enlarge, size: int, frames: int) -> dict[str, Any]:
    return {"model": model, "noise": noise, "changes": measured(enlarge, size, frames)}


def markdown(document: dict[str, Any]) -> str:
    """The table, the command that made it and its conditions."""
    side = document["size"]
    cells = [[row["model"], row["noise"], *(f"{change:.2f}" for change in row["changes"])] for row in document["rows"]]
    text = (
        f"{document['engine']}, {document['cpu']}; clips of {document['frames']} frames of {side}x{side} from "
        f"{', '.join(document['photos'])}.\n\n{table(['Model', 'Noise', *MOTIONS.values()], cells)}"
    )
    return under(document["command"], text)


class Enlarger:
    """A model's results; those that several rows need are made once."""

    def __init__(self, upscaler: Upscaler) -> None:
        self._upscaler = upscaler
        self._made: dict[tuple[int, int, bytes], np.ndarray] = {}

    def enlarge(self, noise: str, small: np.ndarray, number: int, shift: int) -> np.ndarray:
        """A frame's result: ``number`` counts a clip's frames, ``shift`` is how far its window has moved."""
        seed, offset = number if noise == FRESH else 0, shift if noise == MOVING else 0
        key = (seed, offset, small.tobytes())
        if key not in self._made:
            source = philox_noise(seed)

            def moved(stream: int, top: int, left: int, height: int, width: int) -> np.ndarray:
                return source(stream, top, left + offset, height, width)

            self._made[key] = self._upscaler.upscale(small, noise=moved)
        return self._made[key]


def measured(enlarge: Enlarge, size: int, frames: int) -> list[float]:
    """The mean change for each motion."""
    return [float(np.mean([flicker(enlarge, name, size, frames, step) for name in PHOTOS])) for step in MOTIONS]


def flicker(enlarge: Enlarge, name: str, size: int, frames: int, step: int) -> float:
    """Of one clip, whose window moves by ``step`` pixels of the result to the right each frame."""
    photo, side = getattr(skimage.data, name)(), 4 * size
    changes, last = [], None
    for number in range(frames):
        true = photo[20 : 20 + side, step * number : step * number + side]
        large = enlarge(bicubic(true, size, size), number, step * number).astype(np.float64)
        if last is not None:
            inner = slice(4 * MARGIN, side - 4 * MARGIN)
            before = last[inner, 4 * MARGIN + step : side - 4 * MARGIN + step]
            changes.append(np.abs(large[inner, inner] - before).mean())
        last = large
    return float(np.mean(changes))


if __name__ == "__main__":
    main()
