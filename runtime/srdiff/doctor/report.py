"""The doctor's report, for a reader and as plain data."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from typing import Any, Callable, List

import numpy as np

from .. import __version__
from ..cpu import this_cpu
from ..engines.ascend import ascend_facts
from ..machine import usable_cpus
from ..telemetry import import_quietly
from .examination import Finding

ENGINE_PACKAGES = ("mindspore_lite", "onnxruntime", "openvino")
HEAD = ["engine", "device", "precision", "network", "update", "parity", "ms/step", "x stays"]
# What decides on which device is seen and which library is found; nothing else of the environment is told.
ENVIRONMENT = ("ASCEND_HOME_PATH", "ASCEND_RT_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")

Table = Callable[[List[str], List[List[str]]], str]


def machine_facts() -> dict[str, str]:
    """Versions and the machine, for a bug report."""
    facts = {
        "srdiff": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": platform.platform(),
        "CPU": f"{this_cpu()}; {usable_cpus()} usable",
    }
    for name in ENGINE_PACKAGES:
        facts[name] = _version(name)
    facts.update({f"${name}": os.environ[name] for name in ENVIRONMENT if name in os.environ})
    facts.update({f"Ascend {name}": value for name, value in ascend_facts().items()})
    return facts


def as_text(facts: dict[str, str], findings: list[Finding], table: Table) -> str:
    """Facts, a table of what ran, the advice on it, and why the rest did not run."""
    width = max(map(len, facts))
    lines = [f"{name:<{width}}  {value}" for name, value in facts.items()]
    ran = [finding for finding in findings if not finding.refusal]
    if ran:
        lines += ["", table(HEAD, [_row(finding) for finding in ran]), ""]
        lines.append("parity: largest error of x over its range, after the step where it was worst.")
        lines.append("network, update: the arithmetic that was measured. ms/step: of the doctor's own tiny network.")
    for finding in ran:
        for advice in finding.advice:
            lines += ["", f"{finding.engine} {finding.runs_on} {finding.precision}: {advice}."]
    refusals = [finding for finding in findings if finding.refusal]
    if refusals:
        lines += ["", "Did not run:"]
    for refusal in dict.fromkeys(finding.refusal for finding in refusals):
        asked: dict[str, list[str]] = {}
        for finding in refusals:
            if finding.refusal == refusal:
                asked.setdefault(f"{finding.engine} {finding.device}", []).append(finding.precision)
        names = "; ".join(f"{name} {', '.join(precisions)}" for name, precisions in asked.items())
        lines.append(f"  {names}: {refusal}")
    return "\n".join(lines)


def as_data(facts: dict[str, str], findings: list[Finding]) -> dict[str, Any]:
    """For JSON; an infinite error becomes null."""
    rows = [asdict(finding) for finding in findings]
    return {"machine": facts, "findings": [{name: _finite(value) for name, value in row.items()} for row in rows]}


def _row(finding: Finding) -> list[str]:
    said = finding.claims if finding.claims == finding.precision else f"{finding.precision} ({finding.claims})"
    return [
        finding.engine,
        finding.runs_on,
        said,
        f"{finding.network} ({finding.eps_error:.1e})",
        finding.update,
        f"{finding.worst:.1e}",
        f"{finding.ms_per_step:.2f}",
        "yes" if finding.x_stays else "no",
    ]


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _version(package: str) -> str:
    try:
        module = import_quietly(package)
    except ImportError as error:
        return "not installed" if isinstance(error, ModuleNotFoundError) else f"does not load: {error}"
    return str(getattr(module, "__version__", "of unknown version"))
