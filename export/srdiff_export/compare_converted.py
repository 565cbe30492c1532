"""Converted graphs beside the ONNX graphs that they came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from srdiff.bundle import Bundle
from srdiff.engines import Engine, open_engine
from srdiff.errors import DeviceError, PackageError, ParityError
from srdiff.graph_io import COEF, ENCODER, STEP, Coefficients

# Of the relative root-mean-square error of a step. float32 in another order of sums; float16 matrix operators.
BOUNDS = {"fp32": 1e-4, "fp16": 2e-2}


def compare_converted(
    bundle: Bundle, format: str, shapes: list[tuple[int, int]], for_ascend: bool, precision: str
) -> tuple[dict[str, Any], str]:
    """Run converted graphs beside the bundle's ONNX ones where both have an engine here.

    Returns:
        What was compared, or why nothing was, for the manifest; and the same as a sentence.

    Raises:
        ParityError: a graph misses its bound.
    """
    if format == "om":
        reason = "no engine of this project runs om files"
        return {"not run": reason}, f"converted; not compared: {reason}"
    try:
        reference = _onnx_engine()
        device = "ascend" if for_ascend else "cpu"
        candidate = open_engine("mindspore_lite", device, precision)
        rows = [
            _row(bundle, reference, candidate, graph, shape, precision) for shape in shapes for graph in (ENCODER, STEP)
        ]
    except (DeviceError, PackageError) as error:
        return {"not run": str(error)}, f"converted; not compared: {error}"
    for row in rows:
        if not row["relative_error"] <= row["bound"]:
            raise ParityError(
                f"the converted {row['graph']} graph differs from the ONNX one by {row['relative_error']:.1e} (bound "
                f"{row['bound']:.0e}), so no bundle was written; try another precision, or another converter"
            )
    worst = max(row["relative_error"] for row in rows)
    return {"comparisons": rows}, f"converted; differs from the ONNX graphs by {worst:.1e} at most"


def _onnx_engine() -> Engine:
    try:
        return open_engine("onnxruntime", "cpu", "fp32")
    except PackageError:
        return open_engine("openvino", "cpu", "fp32")


def _row(
    bundle: Bundle, reference: Engine, candidate: Engine, graph: str, shape: tuple[int, int], precision: str
) -> dict[str, Any]:
    shapes = bundle.manifest.input_shapes(graph, *shape)
    rng = np.random.default_rng(0)
    inputs = {name: rng.standard_normal(size).astype(np.float32) for name, size in shapes.items()}
    if COEF in inputs:  # moderate numbers, so that no term of the update drowns another
        inputs[COEF] = Coefficients(0.6, -0.3, 0.5, 0.4, 0.1, 0.2).tensor()
    results = []
    for engine in (reference, candidate):
        files = next(f for f in bundle.graph_files(engine.graph_format) if f.lr_shape in (None, shape))
        results.append(engine.compile(bundle.read(getattr(files, graph)), shapes).run(inputs))
    expected, found = (np.concatenate([array.ravel() for array in result.values()]) for result in results)
    difference = np.abs(found.astype(np.float64) - expected)
    relative = np.linalg.norm(difference) / np.linalg.norm(expected)
    return {
        "engine": f"{candidate.name} ({candidate.device})",
        "graph": graph,
        "input": "random",
        "lr_shape": shape,
        "max_error": float(difference.max()),
        "relative_error": float(relative) if np.isfinite(relative) else float("inf"),
        "bound": BOUNDS[precision],
    }
