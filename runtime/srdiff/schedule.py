"""Noise schedules of the forward process q(x_t | x_0), in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

from .errors import OptionError
from .whole import whole

BETA_MAX = 0.999
MAX_TIMESTEPS = 100_000


def cosine_betas(timesteps: int = 100, s: float = 0.008) -> np.ndarray:
    """Cosine schedule of Nichol & Dhariwal (arXiv 2102.09672, eq. 17) as SRDiff discretises it: [timesteps]."""
    # The public code samples timesteps + 1 points of [0, timesteps + 1], so its grid is slightly stretched.
    u = np.linspace(0, timesteps + 1, timesteps + 1) / (timesteps + 1)
    alpha_cumprod = np.cos((u + s) / (1 + s) * np.pi / 2) ** 2
    return np.clip(1 - alpha_cumprod[1:] / alpha_cumprod[:-1], 0, BETA_MAX)


def linear_betas(timesteps: int = 100, start: float = 1e-4, end: float = 0.02) -> np.ndarray:
    """Linear schedule of Ho et al. (arXiv 2006.11239); SRDiff sets the last beta to 0.999: [timesteps]."""
    betas = np.linspace(start, end, timesteps)
    betas[-1] = BETA_MAX
    return betas


BETAS: dict[str, Callable[[int], np.ndarray]] = {"cosine": cosine_betas, "linear": linear_betas}


@dataclass(frozen=True)
class Schedule:
    """Betas of every step t = 0 … timesteps - 1, and what follows from them.

    Attributes:
        name: ``cosine``, ``linear``, or ``custom`` for betas that a checkpoint brought along.
        betas: each in (0, 1).
    """

    name: str
    betas: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.betas) > MAX_TIMESTEPS:
            raise OptionError(f"the schedule has {len(self.betas)} betas, more than {MAX_TIMESTEPS}")
        if not self.betas or not all(0 < beta < 1 for beta in self.betas):
            raise OptionError(f"schedule {self.name!r} has no betas, or some outside (0, 1); export the model anew")

    @classmethod
    def named(cls, name: str, timesteps: int = 100) -> Schedule:
        """The schedule called ``cosine`` or ``linear``; raises OptionError for another, or an impossible length."""
        if name not in tuple(BETAS):
            raise OptionError(f"schedule is {name!r}; choose one of {', '.join(BETAS)}")
        return cls(name, tuple(BETAS[name](whole("timesteps", timesteps, 1, MAX_TIMESTEPS)).tolist()))

    @property
    def timesteps(self) -> int:
        return len(self.betas)

    @property
    def alpha_cumprod(self) -> np.ndarray:
        """Product of (1 - beta) up to and including t: [timesteps] float64."""
        return np.cumprod(1 - np.asarray(self.betas, np.float64))
