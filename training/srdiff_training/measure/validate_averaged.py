"""Validation of a run's averaged weights, those that a checkpoint gives to the export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from srdiff.errors import ImageError
from srdiff.pixels import to_signed

from ..model.network import SRDiff
from ..model.rrdb import RRDBUpscaler
from ..run.distil_step import DistilStep
from ..run.optimiser_step import TrainStep
from ..run.settings import TrainSettings
from .fidelity import fidelity, mean
from .pairs import find_pairs
from .validate import Validator


class AveragedValidator:
    """PSNR-Y and SSIM-Y on ``settings.val`` with a copy of the network that has the averaged weights.

    An SRDiff is sampled by ``validate_steps`` steps with x_0 clamped to [-1, 1] as it was in training.

    Args:
        network, train_step, settings: of the run.

    Raises:
        ImageError: the folder holds no images, or only ones too small for SSIM.
        OptionError: a pair is incomplete.
    """

    def __init__(self, network: nn.Cell, train_step: TrainStep | DistilStep, settings: TrainSettings) -> None:
        self.settings = settings
        self.average = {weight.name: average for weight, average in zip(train_step.weights, train_step.average)}
        self.network = network
        self.copy = (RRDBUpscaler if settings.stage == "rrdb" else SRDiff)(settings.network)
        self.copy.set_train(False)
        self.pairs = find_pairs(Path(settings.val), settings.network.scale, settings.validate_images).pairs
        if settings.stage != "rrdb":
            recipe = replace(
                settings.network.record.recipe,
                schedule=settings.noise_schedule,
                res_rescale=settings.res_rescale,
                clip_denoised=True,
                student_steps=settings.distil.steps if settings.stage == "distil" else None,
            )
            self.validator = Validator(self.copy, recipe, Path(settings.val), settings.validate_images)

    def __call__(self) -> tuple[float, float]:
        """PSNR-Y in decibels and SSIM-Y of the present averages."""
        for source, target in zip(self.network.get_parameters(), self.copy.get_parameters()):
            target.set_data(self.average.get(source.name, source).value())
        if self.settings.stage != "rrdb":
            scores = self.validator(self.settings.validate_steps)
            psnr, ssim = scores.psnr_y, scores.ssim_y
        else:
            measured = [self._enlarged(*pair.load(self.settings.network.scale)) for pair in self.pairs]
            psnr, ssim = (mean([entry[key] for entry in measured]) for key in ("psnr_y", "ssim_y"))
        if psnr is None or ssim is None:
            raise ImageError(f"{self.settings.val} holds only images too small to measure; give larger ones")
        return psnr, ssim

    def _enlarged(self, hr: np.ndarray, lr: np.ndarray) -> dict[str, float | None]:
        image = self.copy(ms.Tensor(to_signed(lr)[None])).asnumpy()[0].transpose(1, 2, 0)
        pixels = np.rint(np.clip((image + 1) * 127.5, 0, 255)).astype(np.uint8)
        return fidelity(hr, pixels, self.settings.network.scale)
