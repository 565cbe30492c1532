"""MindIR files under whatever MindSpore is here: what is written, what it computes, what is refused."""

from __future__ import annotations

import os
from importlib import util

import numpy as np
import pytest

pytest.importorskip("mindspore")

import mindspore
from click.testing import CliRunner

from srdiff.bundle import Bundle
from srdiff.engines import open_engine
from srdiff.engines.mindir_header import read_mindir_header
from srdiff.errors import DeviceError, OptionError
from srdiff.upscaler import Upscaler
from srdiff_export.command import main
from srdiff_export.export import ExportOptions, export_bundle
from srdiff_export.mindir_file import GraphCellEngine
from tests.conftest import DATA, Golden

TINY = DATA / "mindediting_tiny.ckpt"


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> Bundle:
    """One bundle with ONNX graphs and MindIR graphs of two shapes."""
    target = tmp_path_factory.mktemp("both") / "m (2) ü.srdiff"
    arguments = ["--ckpt", TINY, "--format", "mindir,onnx", "--shape", "12x16", "--shape", "16x16", "-o", target]
    result = CliRunner().invoke(main, [*map(str, arguments), "--clip-denoised", "--check-shape", "12x16"])
    assert result.exit_code == 0, result.output
    for engine, shape in (("onnxruntime", "12x16"), ("mindspore GraphCell", "12x16"), ("mindspore GraphCell", "16x16")):
        assert any(line.startswith(engine) and shape in line for line in result.output.splitlines())
    return Bundle(target)


def test_the_manifest_tells_shapes_and_versions(both):
    assert [(graph.format, graph.lr_shape) for graph in both.manifest.graphs] == [
        ("onnx", None),
        ("mindir", (12, 16)),
        ("mindir", (16, 16)),
    ]
    header = read_mindir_header(both.read("step_12x16.mindir"))
    assert header.mindspore == mindspore.__version__ == both.manifest.producer["mindspore"]
    assert header.mindir == both.manifest.producer["mindir"]
    inspected = CliRunner().invoke(main, ["--inspect", str(both.path)]).output
    assert "mindir (16x16 LR)" in inspected


def test_mindspore_runs_the_recorded_steps_from_the_file(both):
    golden = Golden("mindediting")
    upscaler = Upscaler(both, GraphCellEngine())
    result = upscaler.upscale(golden.arrays["lr_uint8"][0], noise=golden.noise())
    recorded = np.rint(np.clip(golden.arrays["output_01_clip"][0].transpose(1, 2, 0), 0, 1) * 255)
    assert np.abs(result.astype(int) - recorded.astype(int)).max() <= 1


def test_a_smaller_image_is_the_corner_of_its_mirrored_continuation(both, photo):
    image = photo[:10, :14]
    small = Upscaler(both, GraphCellEngine()).upscale(image, steps=3)
    continued = np.pad(image, ((0, 2), (0, 2), (0, 0)), mode="symmetric")
    whole = Upscaler(both, open_engine("onnxruntime", "cpu", "fp32")).upscale(continued, steps=3)[:40, :56]
    assert small.shape == (40, 56, 3)
    # But for the last pixels, where the bicubic kernel of lr_up reaches beyond the image.
    assert np.abs(small.astype(int) - whole)[:-8, :-8].max() <= 1


def test_a_larger_image_is_cut_into_tiles_of_the_static_shape(both, photo):
    image = np.concatenate([photo, photo[::-1]], axis=1)[:12, :26]
    static = Upscaler(both, GraphCellEngine(), overlap=4).upscale(image, steps=3)
    free = Upscaler(both, open_engine("onnxruntime", "cpu", "fp32"), tile=16, overlap=4).upscale(image, steps=3)
    assert static.shape == (48, 104, 3)
    assert np.abs(static.astype(int) - free).max() <= 1


@pytest.mark.parametrize(
    "options",
    [
        {"formats": ("tflite",)},
        {"formats": ()},
        {"formats": ("mindir",), "precision": "fp16"},
        {"formats": ("mindir",), "shapes": ()},
        {"formats": ("mindir",), "shapes": ((12, 15),)},
        {"formats": ("onnx",), "optimize": "ascend_oriented"},
        {"formats": ("mindir",), "optimize": "general"},
        {"formats": ("mindir",), "optimize": "ascend_oriented:910 b"},
    ],
)
def test_impossible_options(tmp_path, options):
    with pytest.raises(OptionError):
        export_bundle(TINY, tmp_path / "m.srdiff", ExportOptions(**options))
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(util.find_spec("mindspore_lite") is not None, reason="MindSpore Lite is installed")
def test_conversion_needs_mindspore_lite(tmp_path):
    options = ExportOptions(formats=("mindir",), shapes=((12, 16),), optimize="ascend_oriented")
    with pytest.raises(DeviceError, match="--optimize ascend_oriented needs MindSpore Lite, which is not installed"):
        export_bundle(TINY, tmp_path / "m.srdiff", options)
    assert os.listdir(tmp_path) == []
