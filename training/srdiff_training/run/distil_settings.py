"""What a distillation is told beside what every training run is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from srdiff.errors import CheckpointError, OptionError
from srdiff.schedule import BETAS

STUDENT_STEPS = (1, 2, 4)
OBJECTIVES = ("adversarial", "regress")
# Of a student's timesteps: each of its steps covers as many of the teacher's, and the last one ends at x_0.
SPACING = "trailing"
# LR pixels at a crop's edge that the dial is not fitted to: the network has learned them from padding.
BORDER = 2
LARGEST = float(np.finfo(np.float32).max)  # a larger number is infinite where training computes


@dataclass(frozen=True)
class DistilSettings:
    """It checks itself: an OptionError names what does not fit.

    Attributes:
        steps: that the student takes: 1, 2 or 4.
        objective: ``adversarial`` learns from true photos, with a discriminator where its weight is not 0; ``regress``
            learns to give the teacher's own result of the same noise, without one; where inputs are damaged
            (``degradation: photo``), the teacher's of the undamaged input.
        teacher_steps: of that result, DDIM with eta 0; a student as the teacher takes its own one.
        l1, consistency, blocks, perceptual, adversarial: weights of the losses, see
            :class:`srdiff_training.run.distil_losses.StudentLoss`. ``perceptual`` and ``adversarial`` look through a
            VGG-16, which is fetched (64 MB) unless both are 0; ``blocks`` needs inputs that have been through JPEG, as
            ``degradation: photo`` makes them.
        adversarial_from: step before which the discriminator learns and the student does not hear it.
        discriminator_rate: its learning rate, the same throughout; several times the student's.
        discriminator_width: its channels.
        fidelity_batches: of crops, to which the network's second last convolution is fitted before each checkpoint, see
            :class:`srdiff_training.run.truth_fit.TruthFit`; 0 leaves it out, and with it the dial ``--fidelity``, which
            students of several steps do not have.
    """

    steps: int = 1
    objective: str = "adversarial"
    teacher_steps: int = 20
    l1: float = 1.0
    consistency: float = 1.0
    blocks: float = 0.0
    perceptual: float = 1.0
    adversarial: float = 0.0
    adversarial_from: int = 0
    discriminator_rate: float = 1e-3
    discriminator_width: int = 48
    fidelity_batches: int = 0

    def __post_init__(self) -> None:
        if self.steps not in STUDENT_STEPS:
            raise OptionError(f"distil.steps is {self.steps}; a student takes 1, 2 or 4")
        if self.objective not in OBJECTIVES:
            raise OptionError(f"distil.objective is {self.objective!r}; choose one of {', '.join(OBJECTIVES)}")
        for name in ("l1", "consistency", "blocks", "perceptual", "adversarial", "adversarial_from"):
            if not 0 <= getattr(self, name) <= LARGEST:
                raise OptionError(f"distil.{name} is {getattr(self, name)}; it must be from 0 to {LARGEST:.1e}")
        if not self.l1 + self.consistency + self.perceptual > 0:
            raise OptionError("distil.l1, distil.consistency and distil.perceptual are all 0; nothing is left to learn")
        if self.teacher_steps < 1 or self.discriminator_width < 1 or not 0 < self.discriminator_rate <= LARGEST:
            raise OptionError("distil.teacher_steps, discriminator_width and discriminator_rate must be positive")
        if self.fidelity_batches < 0:
            raise OptionError(f"distil.fidelity_batches is {self.fidelity_batches}; it must not be negative")

    @property
    def has_dial(self) -> bool:
        return self.steps == 1 and self.fidelity_batches > 0

    @property
    def has_discriminator(self) -> bool:
        return self.objective == "adversarial" and self.adversarial > 0

    @property
    def needs_vgg(self) -> bool:
        return self.perceptual > 0 or self.has_discriminator


def of_teacher(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of the settings of its students: sizes, schedule, factor of the residual.

    Args:
        path: of the teacher, or of a student to go on from.
        values: what a person has set; it stands in for what is damaged in the file, or has no name there.

    Raises:
        CheckpointError: the file cannot be read.
        OptionError: its noise schedule has no name that the settings could keep.
    """
    from ..model.checkpoint import load_checkpoint  # loads MindSpore

    checkpoint = load_checkpoint(path)
    config, stored = checkpoint.config, checkpoint.stored
    network = {**vars(config), "unet_mults": list(config.unet_mults)}
    del network["fidelity"]  # a student's own
    found: dict[str, Any] = {"network": network}
    for name in ("schedule", "res_rescale"):
        try:
            found[name] = getattr(stored, name)
        except CheckpointError:
            if name not in values:
                raise
    schedule = found.pop("schedule", None)
    if schedule is not None:
        found["timesteps"] = schedule.timesteps
        if schedule.name != "custom":
            found["schedule"] = schedule.name
        elif "schedule" not in values:
            raise OptionError(
                f"{path} has a noise schedule of its own where training knows {' and '.join(BETAS)}; name the nearest, "
                "schedule=NAME"
            )
    return {name: value for name, value in found.items() if value is not None}
