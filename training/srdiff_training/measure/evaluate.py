"""Models beside each other on the same photos with the same noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from srdiff.commands.command import table
from srdiff.photo.convert import photo_from
from srdiff.resize import bicubic
from srdiff.samplers import Sampler
from srdiff.upscaler import Upscaler

from .fidelity import DEFINITIONS, Measured, fidelity, mean, psnr
from .pairs import DataSet

BICUBIC = "bicubic"
COLUMNS = {"psnr_y": ("PSNR-Y", 2), "ssim_y": ("SSIM-Y", 4), "psnr_rgb": ("PSNR-RGB", 2), "ssim_rgb": ("SSIM-RGB", 4)}


@dataclass(frozen=True)
class EvaluateOptions:
    """What the numbers depend on beside the models.

    Attributes:
        scale: side of the true image over side of the input.
        steps: of the sampler; None takes all of a model's timesteps.
        seed: of the noise, the same for every model and image.
        crop: border in HR pixels left out of the measures.
    """

    scale: int
    steps: int | None
    seed: int
    crop: int


@dataclass(frozen=True)
class ImageScores:
    """The measures of one image.

    Attributes:
        image: its name.
        scores: by model, see :func:`.fidelity.fidelity`; enlarged by MATLAB bicubic is the first.
        parity: PSNR in dB, RGB, all pixels, of the second model's result against the first's; None for one model.
        levels: their largest difference, of 255.
    """

    image: str
    scores: dict[str, Measured]
    parity: float | None
    levels: int | None


def evaluate(
    models: dict[str, Upscaler],
    data: DataSet,
    setting: EvaluateOptions,
    advance: Callable[[str], None] = lambda text: None,
) -> list[ImageScores]:
    """Enlarge every image of a data set with one model or two.

    Args:
        models: by name.
        data: pairs.
        setting: see :class:`EvaluateOptions`.
        advance: called with what was done after each image and model.

    Raises:
        ImageError: an image cannot be read or does not fit its partner.
        OptionError: steps, seed or crop are outside what they may be.
    """
    rows = []
    for pair in data.pairs:
        hr, lr = pair.load(setting.scale)
        scores = {BICUBIC: fidelity(hr, bicubic(lr, hr.shape[0], hr.shape[1]), setting.crop)}
        results = []
        for name, upscaler in models.items():
            results.append(upscaler.enlarge(photo_from(lr), setting.seed, Sampler(steps=setting.steps)).pixels)
            scores[name] = fidelity(hr, results[-1], setting.crop)
            advance(f"{pair.name} {name}")
        parity = levels = None
        if len(results) == 2:
            parity = psnr(results[0], results[1])
            levels = int(np.abs(results[0].astype(np.int16) - results[1]).max())
        rows.append(ImageScores(pair.name, scores, parity, levels))
    return rows


def means(rows: list[ImageScores]) -> dict[str, Measured]:
    """By model, the mean of each measure over the images that have it."""
    return {name: {key: mean([row.scores[name][key] for row in rows]) for key in COLUMNS} for name in rows[0].scores}


def definitions(setting: EvaluateOptions) -> str:
    border = f"without a border of {setting.crop} pixels" if setting.crop else "of all pixels"
    return f"PSNR (dB) and SSIM {border}; {DEFINITIONS}"


def report(rows: list[ImageScores]) -> str:
    """The table for a terminal: every image, then the means."""
    compared = rows[0].parity is not None
    lines = []
    for row in rows:
        for number, (name, measured) in enumerate(row.scores.items()):
            last = number == len(row.scores) - 1
            lines.append([row.image, name, *_numbers(measured), *([_parity(row) if last else ""] if compared else [])])
    for name, measured in means(rows).items():
        lines.append(["mean", name, *_numbers(measured), *([""] if compared else [])])
    head = ["image", "model", *(title for title, _ in COLUMNS.values())]
    return table([*head, "against each other"] if compared else head, lines)


def as_json(rows: list[ImageScores]) -> dict[str, Any]:
    return {"mean": means(rows), "images": [vars(row) for row in rows]}


def _numbers(measured: Measured) -> list[str]:
    values = [(measured[key], digits) for key, (_, digits) in COLUMNS.items()]
    return ["n/a" if value is None else f"{value:.{digits}f}" for value, digits in values]


def _parity(row: ImageScores) -> str:
    return f"{row.parity:.1f} dB, at most {row.levels} level{'' if row.levels == 1 else 's'}"
