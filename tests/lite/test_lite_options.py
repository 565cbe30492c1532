"""Networks with each family's options as MindIR through MindSpore Lite: the export compares them with the cells, which
the training's tests compare with PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from srdiff_export.export import ExportOptions, export_bundle
from srdiff_training.model.network import SRDiff
from srdiff_training.model.parameter_names import public_name, public_shape
from tests.export.option_matrix import MATRIX

ms = pytest.importorskip("mindspore")


def save_random(config, path):
    """A checkpoint whose every parameter counts: attention's factor, too, which training begins at zero."""
    rng = np.random.default_rng(0)
    content = []
    for parameter in SRDiff(config).get_parameters():
        shape = public_shape(parameter.name, tuple(parameter.shape), config)
        size = 0.1 if len(shape) == 1 else np.prod(shape[1:]) ** -0.5
        array = np.asarray(rng.standard_normal(shape) * size, np.float32)
        content.append({"name": public_name(parameter.name, config), "data": ms.Tensor(array)})
    ms.save_checkpoint(content, str(path))


@pytest.mark.parametrize("name", ["mindediting x3 up_input", "leiali deep, all"])
def test_options_reach_lite(tmp_path, name):
    config, lr_shape = MATRIX[name]
    save_random(config, tmp_path / "model.ckpt")
    options = ExportOptions(formats=("mindir",), shapes=(lr_shape,), schedule="linear")
    _, comparisons = export_bundle(tmp_path / "model.ckpt", tmp_path / "m.srdiff", options)  # raises above the bounds
    assert {row.graph for row in comparisons if row.engine.startswith("mindspore_lite")} == {
        "encoder",
        "step",
        "sampler",
    }
