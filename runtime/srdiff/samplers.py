"""Samplers as tables of numbers: what turns x_t into x_{t-1} is linear in the clamped x_0.

The step graph computes, with one row (C, D, P, Q, R, S) of the table::

    eps    = unet(x_t, t, cond)
    x0     = clip(C * x_t + D * eps, -1, 1)          unclipped for models that were sampled so
    x_next = P * x0 + Q * x_t + R * x0_prev + S * noise
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from numbers import Real
from typing import Callable, Iterator

import numpy as np

from .errors import OptionError
from .graph_io import Coefficients
from .schedule import Schedule
from .whole import whole


@dataclass(frozen=True)
class Step:
    """One evaluation of the UNet: its timestep and its row of the table."""

    t: int
    coef: Coefficients

    @property
    def draws_noise(self) -> bool:
        return self.coef.S != 0.0


@dataclass(frozen=True)
class Plan:
    """All steps of a sampler, first to last; ``fidelity`` is None for a model without that dial."""

    steps: tuple[Step, ...]
    fidelity: float | None = None

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    @property
    def second_order(self) -> bool:
        """Some step looks back at the x_0 before it."""
        return any(step.coef.R for step in self.steps)

    def __str__(self) -> str:
        rows = [f"{'t':>4} " + " ".join(f"{name:>12}" for name in Coefficients._fields)]
        rows += [f"{step.t:>4} " + " ".join(f"{value:12.6g}" for value in step.coef) for step in self.steps]
        return "\n".join(rows)


# alpha_cumprod of each timestep of a plan, eta -> its rows
Table = Callable[[np.ndarray, float], np.ndarray]


def ddim(alpha_cumprod: np.ndarray, eta: float) -> np.ndarray:
    """DDIM (Song et al., arXiv 2010.02502, eqs. 12 and 16) with eps taken anew from the clamped x_0.

    At eta 1 this is ancestral sampling of the process restricted to these timesteps: DDPM (Ho et al., arXiv
    2006.11239, eqs. 6-7; Nichol & Dhariwal, arXiv 2102.09672, section 4).

    Args:
        alpha_cumprod: of each timestep, first to last: [steps] float64.
        eta: 0 draws no noise on the way, 1 as much as DDPM.

    Returns:
        [steps, 6] float64.
    """
    after = np.append(alpha_cumprod[1:], 1.0)
    S = eta * np.sqrt((1 - after) / (1 - alpha_cumprod) * (1 - alpha_cumprod / after))
    Q = np.sqrt((1 - after - S**2) / (1 - alpha_cumprod))
    P = np.sqrt(after) - Q * np.sqrt(alpha_cumprod)
    return _rows(alpha_cumprod, P, Q, np.zeros_like(P), S)


def dpm_solver(alpha_cumprod: np.ndarray, eta: float) -> np.ndarray:
    """DPM-Solver++(2M) (Lu et al., arXiv 2211.01095, algorithm 2), and at eta 1 its SDE form (their section 5).

    The first step is of first order, having no predecessor, and so is the last, which ends at infinite
    signal-to-noise ratio and is x_0 itself. Between 0 and 1, eta scales the reverse SDE's noise.

    Args:
        alpha_cumprod: of each timestep, first to last: [steps] float64.
        eta: 0 solves the ODE, 1 the SDE.

    Returns:
        [steps, 6] float64.
    """
    alpha, sigma = np.sqrt(alpha_cumprod), np.sqrt(1 - alpha_cumprod)
    half_log_snr = np.log(alpha / sigma)
    h = np.diff(half_log_snr)
    decay = np.exp(-(1 + eta) * h)
    weight = alpha[1:] * (1 - decay)
    slope = np.zeros_like(h)
    slope[1:] = h[1:] / (2 * h[:-1])
    P = np.append(weight * (1 + slope), 1.0)
    R = np.append(-weight * slope, 0.0)
    Q = np.append(sigma[1:] / sigma[:-1] * np.exp(-eta * h), 0.0)
    S = np.append(sigma[1:] * np.sqrt(1 - np.exp(-2 * eta * h)), 0.0)
    return _rows(alpha_cumprod, P, Q, R, S)


def _rows(alpha_cumprod: np.ndarray, P: np.ndarray, Q: np.ndarray, R: np.ndarray, S: np.ndarray) -> np.ndarray:
    C = 1 / np.sqrt(alpha_cumprod)
    D = -np.sqrt(1 / alpha_cumprod - 1)
    return np.stack([C, D, P, Q, R, S], axis=1)


def _even(timesteps: int, steps: int) -> np.ndarray:
    return np.linspace(timesteps - 1, 0, steps)


def _trailing(timesteps: int, steps: int) -> np.ndarray:
    return timesteps - 1 - np.arange(steps) * timesteps / steps


def _quadratic(timesteps: int, steps: int) -> np.ndarray:
    return np.linspace(np.sqrt(timesteps - 1), 0, steps) ** 2


# even: both ends included. trailing: equal strides, the last one ends at x_0 (Lin et al., arXiv 2305.08891,
# section 3.3). quadratic: denser towards t = 0 (Song et al., arXiv 2010.02502, appendix D.2).
SPACINGS: dict[str, Callable[[int, int], np.ndarray]] = {
    "even": _even,
    "trailing": _trailing,
    "quadratic": _quadratic,
}


def counted(timesteps: int, steps: int | None) -> int:
    """``steps``, where None takes them all.

    Raises:
        OptionError: unless 1 <= steps <= timesteps.
    """
    steps = timesteps if steps is None else steps
    if not 1 <= steps <= timesteps:
        raise OptionError(f"{steps} steps were asked for; this model takes 1 to {timesteps}")
    return steps


def spaced_timesteps(timesteps: int, steps: int | None = None, spacing: str = "even") -> np.ndarray:
    """``steps`` different timesteps, falling from timesteps - 1.

    Raises:
        OptionError: unless 1 <= steps <= timesteps.
    """
    steps = counted(timesteps, steps)
    t = np.rint(SPACINGS[spacing](timesteps, steps)).astype(np.int64)
    # Where rounding makes two the same, the later ones give way; where that ends below 0, the earlier ones.
    t = np.minimum.accumulate(t + np.arange(steps)) - np.arange(steps)
    return np.maximum(t, np.arange(steps)[::-1])


# By name: the table and its eta where none is given.
SAMPLERS: dict[str, tuple[Table, float]] = {"ddpm": (ddim, 1.0), "ddim": (ddim, 0.0), "dpm++": (dpm_solver, 0.0)}


@dataclass(frozen=True)
class Sampler:
    """How x_0 is reached from noise.

    Attributes:
        name: ``ddpm``, ``ddim`` or ``dpm++``.
        steps: runs of the UNet, 1 to the model's timesteps; None takes them all.
        eta: share of fresh noise per step in [0, 1]; None is the sampler's own: 1 for ddpm, which has no other,
            and 0 for ddim and dpm++.
        spacing: which timesteps are taken, a name in ``SPACINGS``.
        fidelity: of models with that dial, from 0, the sharpest picture, to 1, the one nearest to the truth on the
            average.

    Raises:
        OptionError: a name that does not exist, or a number outside its range.
    """

    name: str = "ddpm"
    steps: int | None = None
    eta: float | None = None
    spacing: str = "even"
    fidelity: float = 0.0

    def __post_init__(self) -> None:
        for what, value, known in (("sampler", self.name, SAMPLERS), ("spacing", self.spacing, SPACINGS)):
            if value not in tuple(known):  # a list has no hash
                raise OptionError(f"{what} is {value!r}; choose one of {', '.join(known)}")
        if self.steps is not None:
            object.__setattr__(self, "steps", whole("steps", self.steps))  # NumPy's numbers are no JSON
        if self.eta is not None and not (isinstance(self.eta, Real) and 0 <= self.eta <= 1):
            raise OptionError(f"eta is {self.eta!r}; it lies between 0 and 1")
        if not (isinstance(self.fidelity, Real) and 0 <= self.fidelity <= 1):
            raise OptionError(f"fidelity is {self.fidelity!r}; it lies between 0 and 1")
        if self.name == "ddpm" and self.eta not in (None, 1):
            raise OptionError(f"eta is {self.eta} and ddpm has no eta but 1; take ddim with it")
        object.__setattr__(self, "eta", None if self.eta is None else float(self.eta))
        object.__setattr__(self, "fidelity", float(self.fidelity))

    def as_data(self) -> dict[str, object]:
        """Its fields; a fidelity of 0, which is what models without the dial have, is left out."""
        return {name: value for name, value in asdict(self).items() if name != "fidelity" or value}

    @property
    def family(self) -> str:
        """For a reader: all but the steps, without what is the default."""
        eta = "" if self.eta is None or self.name == "ddpm" else f" eta {self.eta:g}"
        return self.name + eta + ("" if self.spacing == "even" else f" {self.spacing}")

    def label(self, schedule: Schedule) -> str:
        steps = self.steps or schedule.timesteps
        return f"{self.family}, {steps} step{'s' if steps > 1 else ''}"

    def plan(self, schedule: Schedule) -> Plan:
        """Its table for a schedule.

        Raises:
            OptionError: unless 1 <= steps <= timesteps of the schedule.
        """
        table, eta = SAMPLERS[self.name]
        t = spaced_timesteps(schedule.timesteps, self.steps, self.spacing)
        rows = table(schedule.alpha_cumprod[t], eta if self.eta is None else self.eta)
        return _plan(t, rows)


DDPM = Sampler()
# As good as all steps of DDPM by LPIPS, and within 0.2 dB, in ten: measured with small-v1, benchmarks/README.md.
FAST = Sampler("dpm++", 10, 1.0, "quadratic")


def student_plan(schedule: Schedule, steps: int) -> Plan:
    """The one table that a student of so many steps was trained for: ancestral, its network's output read as x_0.

    Its timesteps have equal strides, and the last step ends at x_0. A single step is the row 0, 1, 1, 0, 0, 0.

    Raises:
        OptionError: unless 1 <= steps <= timesteps of the schedule.
    """
    t = spaced_timesteps(schedule.timesteps, steps, "trailing")
    rows = ddim(schedule.alpha_cumprod[t], 1.0)
    rows[:, :2] = 0.0, 1.0
    return _plan(t, rows)


def _plan(t: np.ndarray, rows: np.ndarray) -> Plan:
    return Plan(tuple(Step(int(number), Coefficients(*row)) for number, row in zip(t, rows.tolist())))
