"""What a checkpoint says of how it is sampled: betas, and srdiff-train's single numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from srdiff.errors import CheckpointError, OptionError
from srdiff.schedule import BETAS, MAX_TIMESTEPS, Schedule

from ..checkpoints.read import Tensors

# What srdiff-train adds, as single numbers.
RES_RESCALE, CLIP_DENOISED, STUDENT_STEPS = "srdiff_res_rescale", "srdiff_clip_denoised", "srdiff_student_steps"
MAX_RES_RESCALE = 1000.0
# Half precisions and the least step between their numbers, relative and, for the smallest float16, absolute.
_BFLOAT16_STEP, _FLOAT16_STEP, _FLOAT16_LEAST = 2.0**-8, 2.0**-11, 2.0**-24


@dataclass(frozen=True)
class StoredRecipe:
    """Each is read when it is asked for: what an option overrides may be damaged.

    Attributes:
        path: of the checkpoint, for messages.
        buffers: its arrays outside the networks, by name.

    Every property is None where the file does not say it, and raises CheckpointError where it says what cannot be.
    """

    path: Path
    buffers: Tensors

    @property
    def schedule(self) -> Schedule | None:
        """The noise schedule, in float64 where it is a known one that was rounded."""
        if "betas" not in self.buffers:
            return None
        found = self.buffers["betas"]
        stored = found.ravel()[: MAX_TIMESTEPS + 1].astype(np.float64)  # enough to be refused
        if 0 < stored.size <= MAX_TIMESTEPS:
            for name in BETAS:
                betas = BETAS[name](stored.size)
                if (np.abs(betas - stored) <= _rounding(stored, betas)).all():
                    return Schedule(name, tuple(betas.tolist()))
        try:
            return Schedule("custom", tuple(stored.tolist()))
        except OptionError as error:
            raise CheckpointError(
                f"{self.path} has {found.size} betas that are no noise schedule, which has at most {MAX_TIMESTEPS}, "
                "each between 0 and 1; name the schedule that it was trained with"
            ) from error

    @property
    def res_rescale(self) -> float | None:
        return self._number(RES_RESCALE, 0.0, MAX_RES_RESCALE)

    @property
    def clip_denoised(self) -> bool | None:
        number = self._number(CLIP_DENOISED, -1.0, 1.0)
        return None if number is None else bool(number)

    @property
    def student_steps(self) -> int | None:
        """Of a student, whose network gives x_0, the steps that it takes."""
        number = self._number(STUDENT_STEPS, 0.0, 1000.0, whole=True)
        return None if number is None else int(number)

    def _number(self, name: str, above: float, most: float, whole: bool = False) -> float | None:
        if name not in self.buffers:
            return None
        array = self.buffers[name]
        number = float(array.ravel()[0]) if array.size == 1 else float("nan")
        if not (isfinite(number) and above < number <= most and (number.is_integer() or not whole)):
            kind, advice = ("whole number", "") if whole else ("number", ", or name the right one as an option")
            raise CheckpointError(
                f"{self.path} has {name} {array.ravel()[:3].tolist()} where one {kind} above {above:g} and up to "
                f"{most:g} was expected; take an earlier checkpoint{advice}"
            )
        return number


def _rounding(stored: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """How far the stored betas may be from those they were rounded from: one step of the precision that holds them."""
    bits = stored.astype(np.float32).view(np.uint32)
    if not (bits & 0xFFFF).any():
        return betas * _BFLOAT16_STEP
    with np.errstate(over="ignore"):
        if (stored.astype(np.float16) == stored).all():
            return betas * _FLOAT16_STEP + _FLOAT16_LEAST
    return np.full(betas.shape, 1e-6)  # float32, whatever the order of the arithmetic
