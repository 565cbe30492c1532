"""Runs the golden network through every engine, device and precision that opens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Callable

import numpy as np

from ..bundle import Bundle
from ..engines import CANDIDATES, PRECISIONS, Engine, open_engine
from ..errors import SRDiffError
from .golden import GoldenNetwork, Recorded
from .probes import FORMATS, network_format, update_format

TIMED_RUNS = 20
# Of x after a step, largest difference over largest value. fp32: the first step multiplies the float32 error of eps,
# 1e-6, by 2029 and clamps; measured up to 8e-5. Narrower networks: measured up to 0.05 and 0.22.
BOUNDS = {"fp32": 2e-3, "fp16": 0.2, "bf16": 0.6}


@dataclass
class Finding:
    """One engine on one device at one precision.

    Attributes:
        engine, device, precision: what was asked for.
        refusal: why it did not open or run; empty where it did.
        runs_on: where the engine says that it runs.
        claims: the precision that the engine says its network has.
        network, update: what the probes found: ``fp32``, ``fp16`` or ``bf16``.
        eps_error, update_error: relative errors that the probes found.
        parity: per step of the recorded plan, the largest difference of x over its largest value.
        ms_per_step: median milliseconds of a step of the golden network.
        x_stays: x stays where the graph computes, from step to step.
        advice: sentences on what is not as it should be.
    """

    engine: str
    device: str
    precision: str
    refusal: str = ""
    runs_on: str = ""
    claims: str = ""
    network: str = ""
    update: str = ""
    eps_error: float = 0.0
    update_error: float = 0.0
    parity: list[float] = field(default_factory=list)
    ms_per_step: float = 0.0
    x_stays: bool = False
    advice: list[str] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The largest parity error."""
        return max(self.parity, default=0.0)

    @property
    def is_wrong(self) -> bool:
        """It ran, and its results cannot be trusted: a rounded update, or steps that are off."""
        return not self.refusal and (self.update != "fp32" or not self.worst <= BOUNDS[self.network])


def examine(bundle: Bundle, recorded: Recorded, threads: int | None = None) -> list[Finding]:
    """Every engine, device and precision, in the order in which ``auto`` would try them."""
    findings = []
    for name, device in CANDIDATES:
        for precision in PRECISIONS:
            finding = Finding(name, device, precision)
            findings.append(finding)
            try:
                examine_engine(open_engine(name, device, precision, threads), bundle, recorded, finding)
            except SRDiffError as error:
                finding.refusal = str(error)
    return findings


def examine_engine(engine: Engine, bundle: Bundle, recorded: Recorded, finding: Finding) -> None:
    """Fill a finding with what an open engine does.

    Raises:
        SRDiffError: it refuses the golden network.
    """
    network = GoldenNetwork(engine, bundle)
    inputs = network.inputs()
    finding.runs_on, finding.claims = engine.device, engine.precision
    finding.update, finding.update_error = update_format(network.step, inputs)
    finding.network, finding.eps_error = network_format(network.step, inputs, recorded.eps)
    finding.parity = [_difference(x, expected) for x, expected in zip(network.steps(), recorded.steps)]
    loop = network.start()
    finding.ms_per_step = _median_ms(loop.run)
    finding.x_stays = loop.resident or finding.device == "cpu"
    finding.advice = _advice(finding)


def _advice(finding: Finding) -> list[str]:
    advice = []
    if finding.update != "fp32":
        advice.append(
            f"the update is rounded to {finding.update}, so results are wrong; choose precision fp32, or another "
            "precision_mode, and report this"
        )
    if FORMATS.index(finding.network) > FORMATS.index(finding.claims):
        advice.append(
            f"the network computes in {finding.network} although {finding.claims} was asked for; choose "
            f"{finding.network} knowingly, or another engine"
        )
    elif FORMATS.index(finding.network) < FORMATS.index(finding.claims):
        advice.append(f"the network computes in {finding.network}, more than {finding.claims}, and no faster")
    if not finding.worst <= BOUNDS[finding.network]:
        advice.append(
            f"x is off by {finding.worst:.1e} of its range where {BOUNDS[finding.network]:g} is usual; do not use it, "
            "and report this"
        )
    if not finding.x_stays:
        advice.append(
            "x goes to main memory and back in every step; MindSpore Lite from 2.3 on and ONNX Runtime's CANN keep it "
            "on the device, with a precision_mode whose update is float32"
        )
    return advice


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Infinite where a value is not finite."""
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    return difference if np.isfinite(difference) else float("inf")


def _median_ms(run: Callable[[], None]) -> float:
    times = []
    for _ in range(TIMED_RUNS):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return float(np.median(times)) * 1e3
