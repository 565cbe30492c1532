"""The built-in kind of bundle, ONNX alone, through MindSpore Lite's own converter and its CPU.

The converter runs in processes of its own: after it, MindSpore 2.0 exports nothing more in the same one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from srdiff.bundle import Bundle, write_bundle
from srdiff.doctor.examination import BOUNDS, Finding, examine_engine
from srdiff.doctor.golden import LR_SHAPE, Recorded, golden_bundle
from srdiff.engines import open_engine
from srdiff.upscaler import Upscaler

from ..models import SMALL

has_onnx = subprocess.run([sys.executable, "-c", "import onnx"], stderr=subprocess.DEVNULL).returncode == 0
needs_onnx = pytest.mark.skipif(not has_onnx, reason="onnx is not installed")


def convert(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "srdiff_export.command", "--format", "mindir", *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def onnx_bundle(tmp_path):
    golden, folder = golden_bundle(), tmp_path / "onnx.srdiff"
    folder.mkdir()
    for name in ("encoder.onnx", "step.onnx", "time_bias.npy"):
        shutil.copyfile(str(golden.path / name), str(folder / name))
    write_bundle(folder, replace(golden.manifest, graphs=golden.graph_files("onnx")))
    return folder


@needs_onnx
def test_golden_steps_after_conversion(onnx_bundle, tmp_path):
    target = tmp_path / "lite.srdiff"
    shape = "{}x{}".format(*LR_SHAPE)
    done = convert("--bundle", onnx_bundle, "--optimize", "general", "--shape", shape, "-o", target)
    assert done.returncode == 0, done.stdout
    bundle = Bundle(target)
    assert "not run" in bundle.manifest.parity["conversion"]  # there is no engine for ONNX on this Python
    finding = Finding("mindspore_lite", "cpu", "fp32")
    examine_engine(open_engine("mindspore_lite", "cpu", "fp32"), bundle, Recorded.read(), finding)
    assert (finding.network, finding.update) == ("fp32", "fp32")
    assert finding.worst < BOUNDS["fp32"]


@needs_onnx
def test_the_built_in_model_reaches_lite(tmp_path, photo):
    target = tmp_path / "lite.srdiff"
    done = convert("--bundle", SMALL, "--optimize", "general", "--shape", "32x32", "-o", target)
    assert done.returncode == 0, done.stdout
    result = Upscaler(Bundle(target), open_engine("mindspore_lite", "cpu", "fp32")).upscale(photo, steps=4)
    # Enlarged, and not noise: shrunk by averaging, it is about the photo again.
    height, width = photo.shape[:2]
    shrunk = result.reshape(height, 4, width, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - photo).mean() < 6


def test_an_ascend_needs_cann(onnx_bundle, tmp_path):
    done = convert("--bundle", onnx_bundle, "-o", tmp_path / "lite.srdiff")
    assert done.returncode == 2
    assert "could not convert encoder.onnx for ascend_oriented; ascend_oriented needs CANN's libraries" in done.stdout
    assert os.listdir(str(tmp_path)) == ["onnx.srdiff"]


def test_the_doctor():
    command = str(Path(sys.executable).with_name("srdiff-doctor"))
    run = [command] if Path(command).exists() else [sys.executable, "-m", "srdiff.commands.doctor"]
    done = subprocess.run(run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("mindspore_lite  cpu ")]
    assert row.split()[1:4] == ["cpu", "fp32", "fp32"]
