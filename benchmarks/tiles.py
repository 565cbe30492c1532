"""What windows do to a result, and what they cost, by overlap.

    python benchmarks/tiles.py --overlap 8,16,24,32

Each photo is enlarged whole and in windows with the same noise; runs of a photo follow each other at once.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np
import skimage.data
from common.commands import bundle_option, insert_options, measured_bundle, show, typed_command, under
from common.tables import table

from srdiff import Upscaler
from srdiff.commands.command import Command
from srdiff.cpu import this_cpu
from srdiff.engines import PRECISIONS
from srdiff.errors import OptionError
from srdiff.photo.convert import photo_from

PHOTOS = ("astronaut", "chelsea", "coffee")  # skimage.data's, all in the public domain or CC0


@click.command(cls=Command)
@bundle_option
@click.option("--size", type=click.IntRange(2), default=192, show_default=True, help="Side of the input.")
@click.option("--tile", type=int, default=128, show_default=True, help="Side of a window, in input pixels.")
@click.option("--overlap", "overlaps", default="8,16,24,32", show_default=True, help="In input pixels.")
@click.option("--steps", type=int, help="Of the sampler.  [default: all of the model's]")
@click.option("--precision", type=click.Choice(["auto", *PRECISIONS]), default="auto", show_default=True)
@insert_options("tiles")
def main(
    bundle: Path | None,
    size: int,
    tile: int,
    overlaps: str,
    steps: int | None,
    precision: str,
    insert_file: Path | None,
    mark: str,
) -> None:
    """Difference between windows and the whole image, and the time that windows take more."""
    try:
        sides = [int(text) for text in overlaps.split(",")]
    except ValueError as error:
        raise OptionError(f"--overlap is {overlaps!r}; write numbers like 8,16,32") from error
    bundle = measured_bundle(bundle)
    whole = Upscaler.from_bundle(bundle, precision=precision, tile=2 * size, overlap=0)
    tiled = {side: Upscaler.from_bundle(bundle, precision=precision, tile=tile, overlap=side) for side in sides}
    rows = []
    for name in PHOTOS:
        image = getattr(skimage.data, name)()[:size, -size:]
        expected, seconds = enlarged(whole, image, steps)
        for side, upscaler in tiled.items():
            result, longer = enlarged(upscaler, image, steps)
            difference = np.abs(result.astype(int) - expected)
            rows.append([
                name, str(side), str(difference.max()), f"{(difference > 1).mean():.3%}",
                f"{(difference > 0).mean():.2%}", f"{longer / seconds - 1:+.0%}",
            ])  # fmt: skip
    engine = whole.engine
    head = ["Photo", "Overlap", "Largest difference, levels", "Off by more than 1", "Off by 1 or more", "Time"]
    text = (
        f"Model {whole.bundle.manifest.name}, {engine.name} {engine.precision} on {engine.device}, {this_cpu()}; "
        f"{size}x{size} input, windows of at most {tile}x{tile} pixels.\n\n{table(head, rows)}"
    )
    show(under(typed_command("tiles.py"), text), insert_file, mark)


def enlarged(upscaler: Upscaler, image: np.ndarray, steps: int | None) -> tuple[np.ndarray, float]:
    """The result and its seconds, without compiling."""
    upscaler.enlarge(photo_from(image), sampler=upscaler.bundle.manifest.quickest)
    start = time.perf_counter()
    return upscaler.upscale(image, steps=steps), time.perf_counter() - start


if __name__ == "__main__":
    main()
