"""``srdiff-preprocess``: photos to the folders that training and evaluation read."""

from __future__ import annotations

import os
from pathlib import Path

import click
from tqdm import tqdm

from srdiff.commands.command import Command
from srdiff.commands.paths import FilePath
from srdiff.commands.saying import say, tell

from ..data.datasets import DATASETS, FOLDER, find_splits
from ..data.preprocess import PreprocessOptions, PreprocessResult, preprocess


@click.command(cls=Command)
@click.option(
    "--root",
    type=FilePath(),
    required=True,
    help="Folder that the data set was unpacked to; for --dataset folder, the folder of your photos.",
)
@click.option("--dataset", type=click.Choice(DATASETS), required=True, help="What --root holds.")
@click.option("--output", "-o", type=FilePath(), required=True, help="Folder to write to.")
@click.option(
    "--scale", type=click.IntRange(2), default=4, show_default=True, help="Side of the true image over its input's."
)
@click.option(
    "--crop-size",
    type=click.IntRange(1),
    help="Cut training images into parts of this side, a multiple of the scale.  [default: whole images]",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes.  [default: one per CPU]")
@click.option("--overwrite", is_flag=True, help="Make everything anew, also where the settings were others.")
def main(
    root: Path, dataset: str, output: Path, scale: int, crop_size: int | None, jobs: int | None, overwrite: bool
) -> None:
    """Prepare photos for training and evaluation.

    Writes pairs of true image (X1) and input (X4, by the scale) as PNG, numbered from image_0000.png:

    \b
    div2k         DIR/DIV2K_train_HR, DIV2K_valid_HR    -> OUT/div2k/train, OUT/div2k/val
    flickr2k      DIR/Flickr2K_HR                       -> OUT/flickr2k/train
    folder        DIR, any images                       -> OUT/NAME OF DIR/train
    set5, set14,  DIR/HR, DIR/GTmod12 or DIR itself     -> OUT/set5/val, …
      bsd100, urban100

    Official inputs are used where they are there (DIV2K_train_LR_bicubic/X4, LR_x4, …); otherwise inputs are made by
    MATLAB's bicubic, bit for bit. True images are cut at the right and bottom to a multiple of the scale.

    A second run makes only what is missing or has changed. A damaged image is named and skipped; the exit code is 0
    as long as there is one good image in each part.
    """
    settings = PreprocessOptions(scale, crop_size)
    splits = find_splits(root, dataset, scale)
    folder = output / (root.resolve().name if dataset == FOLDER else dataset)
    outcomes = []
    total = sum(len(split.pairs) for split in splits)
    with tqdm(total=total, unit="image", disable=None) as bar:
        for split in splits:
            bar.set_description(split.name)
            place = folder / split.name
            outcomes.append(preprocess(split, place, settings, jobs or os.cpu_count() or 1, overwrite, bar.update))
    for outcome in outcomes:
        for sentence in outcome.damaged:
            say(f"Skipped: {sentence}")
    for outcome in outcomes:
        tell(describe(outcome))


def describe(outcome: PreprocessResult) -> str:
    """One line on what a folder holds now and what was done for it."""
    line = f"{outcome.folder}: {outcome.images} images, inputs {outcome.source}; "
    if not outcome.made and not outcome.damaged:
        return line + "up to date, nothing to do"
    line += f"{outcome.made} photos done, {outcome.kept} done before"
    return line + (f", {len(outcome.damaged)} damaged and skipped" if outcome.damaged else "")


if __name__ == "__main__":
    main()
