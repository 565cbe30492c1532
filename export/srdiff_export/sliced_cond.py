"""Makes an ONNX step graph one that MindSpore Lite's CPU takes after conversion."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from srdiff.errors import PackageError
from srdiff.graph_io import COND


def write_sliced(model: Path, target: Path) -> None:
    """The step graph with cond behind a slice of all of it: added as it is to an activation, it breaks MindSpore Lite's
    change between channels-first and channels-last on the CPU."""
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError as error:
        raise PackageError("graphs for MindSpore Lite's CPU need the package onnx; run: pip install onnx") from error
    proto = onnx.load(str(model))
    graph = proto.graph
    cond = next(value for value in graph.input if value.name == COND)
    bounds = {"starts": 0, "ends": cond.type.tensor_type.shape.dim[1].dim_value, "axes": 1}
    names = [f"cond_{name}" for name in bounds]
    for name, number in zip(names, bounds.values()):
        graph.initializer.append(numpy_helper.from_array(np.array([number], np.int64), name))
    for node in graph.node:
        node.input[:] = ["cond_sliced" if name == COND else name for name in node.input]
    graph.node.insert(0, helper.make_node("Slice", [COND, *names], ["cond_sliced"]))
    onnx.save(proto, str(target))
