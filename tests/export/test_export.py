"""``srdiff-export``: what it writes, refuses, and leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mindspore")

import onnx
from click.testing import CliRunner

from srdiff.bundle import Bundle
from srdiff.errors import ExistsError, OptionError, OutputError, ParityError
from srdiff.upscaler import Upscaler
from srdiff_export import verify
from srdiff_export.command import main
from srdiff_export.export import ExportOptions, export_bundle
from tests.conftest import DATA, Golden

TINY = DATA / "mindediting_tiny.ckpt"


def shell(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "srdiff_export.command", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


ODD = "Modell (1) für 照片.srdiff"  # MindSpore takes no such path


def test_from_a_shell_to_an_enlarged_photo(tmp_path, photo):
    result = shell("--ckpt", TINY, "--format", "onnx", "-o", ODD, "--check-shape", "6x10", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["engine", "graph", "input", "LR", "size", "max", "error", "relative", "bound"]
    for graph in ("encoder", "step", "sampler"):
        assert any(f" {graph} " in line and "6x10" in line for line in lines)
    assert lines[-1].endswith("verified")
    assert sorted(os.listdir(tmp_path / ODD)) == [
        "encoder.onnx",
        "manifest.json",
        "step.onnx",
        "time_bias.npy",
    ]
    assert os.listdir(tmp_path) == [ODD]
    upscaled = Upscaler.from_bundle(tmp_path / ODD, engine="onnxruntime", device="cpu").upscale(photo, steps=2)
    assert upscaled.shape == (96, 80, 3)

    inspected = shell("--inspect", ODD, cwd=tmp_path)
    assert inspected.returncode == 0
    for words in ("mindediting_tiny", "not clamped", "cosine, 100 timesteps", "any size", "Parity with the checkpoint"):
        assert words in inspected.stdout

    again = shell("--ckpt", TINY, "-o", ODD, cwd=tmp_path)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr


def test_half_weights_halve_the_bundle(tmp_path, export_golden):
    bundle, comparisons = export_bundle(TINY, tmp_path / "half.srdiff", ExportOptions(precision="fp16"))
    full = export_golden("mindediting", False)
    for name in ("encoder.onnx", "step.onnx"):
        assert (bundle.path / name).stat().st_size < 0.6 * (full / name).stat().st_size
    assert bundle.manifest.weights_dtype == "float16"
    assert all(1e-6 < row.relative_error <= row.bound for row in comparisons if row.graph == "step")


def test_a_newer_opset(tmp_path):
    bundle, _ = export_bundle(TINY, tmp_path / "new.srdiff", ExportOptions(opset=17))
    model = onnx.load(str(bundle.path / "step.onnx"))
    assert [opset.version for opset in model.opset_import if opset.domain == ""] == [17]


def test_no_size_is_baked_in(export_golden):
    for name in ("encoder.onnx", "step.onnx"):
        graph = onnx.load(str(export_golden("leiali", True) / name)).graph
        assert {axis.dim_param for axis in graph.input[0].type.tensor_type.shape.dim[2:]} == {"height", "width"}
        assert not graph.value_info


def test_a_missed_bound_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(verify.BOUNDS["float32"], "step", 1e-12)
    with pytest.raises(ParityError, match="the step graph on"):
        export_bundle(TINY, tmp_path / "model.srdiff", ExportOptions())
    assert os.listdir(tmp_path) == []


def test_a_wrong_graph_misses_the_bound(tmp_path, export_golden, monkeypatch):
    """A weight off by 1 % must not pass."""
    import srdiff_export.export as module

    write = module._write_onnx

    def write_wrong(folder, *arguments):
        write(folder, *arguments)
        model = onnx.load(str(folder / "step.onnx"))
        for index, weight in enumerate(model.graph.initializer):
            if weight.name.endswith("downs.1.0.block1.conv.conv.weight"):
                array = onnx.numpy_helper.to_array(weight) * np.float32(1.01)
                model.graph.initializer[index].CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
                break
        else:
            raise AssertionError("no such weight")
        onnx.save(model, str(folder / "step.onnx"))

    monkeypatch.setattr(module, "_write_onnx", write_wrong)
    with pytest.raises(ParityError):
        export_bundle(TINY, tmp_path / "model.srdiff", ExportOptions())
    assert os.listdir(tmp_path) == []


def test_overwriting_replaces_only_a_bundle(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "photo.png").write_bytes(b"x")
    (tmp_path / "precious" / "manifest.json").write_text("{}")
    with pytest.raises(OutputError, match="exists already"):
        export_bundle(TINY, tmp_path / "precious", ExportOptions(), overwrite=True)
    assert (tmp_path / "precious" / "photo.png").read_bytes() == b"x"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_bundle_that_appears_meanwhile_is_kept(tmp_path, monkeypatch, overwrite):
    import srdiff_export.export as module

    write, target = module._write_onnx, tmp_path / "model.srdiff"

    def write_late(*arguments):
        target.mkdir()
        (target / "manifest.json").write_text("theirs")
        write(*arguments)

    monkeypatch.setattr(module, "_write_onnx", write_late)
    if overwrite:
        export_bundle(TINY, target, ExportOptions(), overwrite=True)
        assert Bundle(target)
    else:
        with pytest.raises(ExistsError, match="made by another meanwhile and is kept"):
            export_bundle(TINY, target, ExportOptions())
        assert (target / "manifest.json").read_text() == "theirs"
    assert os.listdir(tmp_path) == ["model.srdiff"]


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "int8"},
        {"opset": 9},
        {"opset": 999},
        {"res_rescale": 0.0},
        {"schedule": "sine"},
        {"check_shapes": ((5, 8),)},
        {"check_shapes": ((0, 2),)},
    ],
)
def test_impossible_options(tmp_path, options):
    with pytest.raises(OptionError):
        export_bundle(TINY, tmp_path / "model.srdiff", ExportOptions(**options))
    assert os.listdir(tmp_path) == []


def test_the_checkpoints_schedule_is_taken(export_golden):
    manifest = Bundle(export_golden("leiali", True)).manifest
    assert manifest.schedule.name == "cosine"
    np.testing.assert_allclose(manifest.schedule.betas, Golden("leiali").arrays["betas"], atol=5e-8)
    assert manifest.clip_denoised
    assert manifest.lr_up.divisor == 256


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--ckpt", "nowhere.ckpt"],
        ["--inspect", "."],
        ["--ckpt", str(DATA / "README.md")],
        ["--ckpt", str(TINY), "--check-shape", "8by8"],
        ["--ckpt", str(TINY), "--shape", "8x8"],
        ["--ckpt", str(TINY), "--family", "leiali"],
    ],
)
def test_a_wrong_command_line_is_one_sentence(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert result.output.count("Error: ") == 1
    assert os.listdir(tmp_path) == []
