"""The parity gate: an engine or precision must not cost quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

from grading.methods import Method, Model
from grading.results import MethodResults
from srdiff.errors import OptionError
from srdiff_training.measure.fidelity import psnr

# Below what a table of two digits of PSNR and three of LPIPS shows; 45 dB is an error of 1.4 levels.
MAX_PSNR_CHANGE_DB = 0.01
MAX_LPIPS_CHANGE = 0.001
MIN_PARITY_DB = 45.0


@dataclass(frozen=True)
class Verdict:
    """One engine and setting against the float32 reference on one data set.

    Attributes:
        data, label, reference: the data set and the two methods.
        psnr_change: mean PSNR-Y against the true images less the reference's, dB.
        lpips_change: the same of LPIPS; None where it was not measured.
        parity: PSNR in dB of the result against the reference's result, RGB; the worst image and seed.
        levels: the largest difference of any pixel, of 255.
    """

    data: str
    label: str
    reference: str
    psnr_change: float
    lpips_change: float | None
    parity: float
    levels: int

    @property
    def reasons(self) -> list[str]:
        """What misses its bound; empty where the gate is passed."""
        found = []
        if abs(self.psnr_change) > MAX_PSNR_CHANGE_DB:
            found.append(f"PSNR-Y changes by {self.psnr_change:+.3f} dB (bound {MAX_PSNR_CHANGE_DB})")
        if self.lpips_change is not None and abs(self.lpips_change) > MAX_LPIPS_CHANGE:
            found.append(f"LPIPS changes by {self.lpips_change:+.4f} (bound {MAX_LPIPS_CHANGE})")
        if self.parity < MIN_PARITY_DB:
            found.append(f"{self.parity:.1f} dB against the reference (bound {MIN_PARITY_DB:.0f})")
        return found


def comparisons(methods: list[Method]) -> list[tuple[Model, Model]]:
    """(model, reference) for every engine and setting but the references themselves.

    The reference of a sampler's setting is, in float32, the checkpoint's own network where there is one, else
    ONNX Runtime, else the first engine.

    Raises:
        OptionError: there is no reference, or nothing to compare with it.
    """
    models = [method for method in methods if isinstance(method, Model)]
    found = []
    for sampler in dict.fromkeys(model.sampler for model in models):
        group = [model for model in models if model.sampler == sampler]
        reference = _reference(group)
        found += [(model, reference) for model in group if model is not reference]
    if not found:
        raise OptionError(
            "the gate compares engines and precisions, and there is only one; add --engine, --precision or --ckpt"
        )
    return found


def judge(data: str, rows: list[MethodResults], load: Callable[[Model, int, str], np.ndarray]) -> list[Verdict]:
    """Compare every model with the float32 reference on one data set.

    Args:
        data: its name.
        rows: its results.
        load: a result's pixels by method, seed and image.

    Raises:
        OptionError: see :func:`comparisons`.
    """
    by_method = {id(row.method): row for row in rows}
    return [
        _verdict(data, by_method[id(model)], model, by_method[id(reference)], reference, load)
        for model, reference in comparisons([row.method for row in rows])
    ]


def _reference(models: list[Model]) -> Model:
    exact = [model for model in models if model.precision == "fp32"]
    if not exact:
        raise OptionError("the gate needs a float32 reference and there is none; add --precision fp32")
    order = ("mindspore", "onnxruntime")
    return min(exact, key=lambda model: order.index(model.engine) if model.engine in order else len(order))


def _verdict(
    data: str,
    row: MethodResults,
    method: Model,
    base: MethodResults,
    reference: Model,
    load: Callable[[Model, int, str], np.ndarray],
) -> Verdict:
    parity, levels = [], []
    for image in row.scores:
        for seed in range(method.seeds):
            expected, found = load(reference, seed, image), load(method, seed, image)
            parity.append(psnr(expected, found))
            levels.append(int(np.abs(expected.astype(np.int16) - found).max()))
    changes = {}
    for key in ("psnr_y", "lpips"):
        after, before = row.mean(key), base.mean(key)
        changes[key] = None if after is None or before is None else after - before
    return Verdict(
        data,
        method.label,
        reference.label,
        changes["psnr_y"] or 0.0,
        changes["lpips"],
        min(parity),
        max(levels),
    )
