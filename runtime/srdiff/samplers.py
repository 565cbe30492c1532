"""Samplers as tables of numbers: what turns x_t into x_{t-1} is linear in the clamped x_0.

The step graph computes, with one row (C, D, P, Q, R, S) of the table::

    eps    = unet(x_t, t, cond)
    x0     = clip(C * x_t + D * eps, -1, 1)
    x_next = P * x0 + Q * x_t + R * x0_prev + S * noise
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import numpy as np

from .errors import OptionError
from .schedule import Schedule

COEFFICIENTS = ("C", "D", "P", "Q", "R", "S")


@dataclass(frozen=True)
class Step:
    """One evaluation of the UNet: its timestep and its row of coefficients, float64."""

    t: int
    coef: tuple[float, ...]

    @property
    def draws_noise(self) -> bool:
        return self.coef[5] != 0.0


@dataclass(frozen=True)
class Plan:
    """All steps of a sampler, first to last."""

    steps: tuple[Step, ...]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __str__(self) -> str:
        rows = [f"{'t':>4} " + " ".join(f"{name:>12}" for name in COEFFICIENTS)]
        rows += [f"{step.t:>4} " + " ".join(f"{value:12.6g}" for value in step.coef) for step in self.steps]
        return "\n".join(rows)


def ddpm(schedule: Schedule, steps: int | None = None) -> Plan:
    """Ancestral sampling (Ho et al., arXiv 2006.11239, eqs. 6-7) on all timesteps or an even subset of them.

    On a subset the posterior is that of the process restricted to it (Nichol & Dhariwal, arXiv 2102.09672,
    section 4): the same formulas with alpha_cumprod of the timesteps that remain.
    """
    timesteps = spaced_timesteps(schedule.timesteps, steps)
    alpha_cumprod = schedule.alpha_cumprod[timesteps]
    alpha_cumprod_next = np.append(schedule.alpha_cumprod[timesteps[1:]], 1.0)
    alpha = alpha_cumprod / alpha_cumprod_next
    beta = 1 - alpha
    C = 1 / np.sqrt(alpha_cumprod)
    D = -np.sqrt(1 / alpha_cumprod - 1)
    P = beta * np.sqrt(alpha_cumprod_next) / (1 - alpha_cumprod)
    Q = (1 - alpha_cumprod_next) * np.sqrt(alpha) / (1 - alpha_cumprod)
    S = np.sqrt(beta * (1 - alpha_cumprod_next) / (1 - alpha_cumprod))
    table = np.stack([C, D, P, Q, np.zeros_like(C), S], axis=1)
    return Plan(tuple(Step(int(t), tuple(row)) for t, row in zip(timesteps, table.tolist())))


def spaced_timesteps(timesteps: int, steps: int | None = None) -> np.ndarray:
    """``steps`` timesteps from timesteps - 1 down to 0, evenly spaced and both ends included.

    Raises:
        OptionError: unless 1 <= steps <= timesteps.
    """
    steps = timesteps if steps is None else steps
    if not 1 <= steps <= timesteps:
        raise OptionError(f"{steps} steps were asked for; this model takes 1 to {timesteps}")
    return np.rint(np.linspace(timesteps - 1, 0, steps)).astype(np.int64)
