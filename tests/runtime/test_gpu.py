"""What runs on a GPU, tested on ONNX Runtime's CPU provider: the loop on bound buffers, and what is refused."""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime
import pytest

from srdiff import Upscaler
from srdiff.bundle import Bundle
from srdiff.engines import onnxruntime_engine
from srdiff.engines.onnxruntime_engine import OnnxRuntimeEngine, OnnxRuntimeGraph
from srdiff.engines.onnxruntime_options import cuda_options
from srdiff.errors import DeviceError, OptionError, PackageError

from ..models import SMALL


class Bound(OnnxRuntimeEngine):
    """Carries its tensors as on a GPU, in main memory."""

    def compile(self, model, shapes):
        return OnnxRuntimeGraph(super().compile(model, shapes)._session, ("cpu", 0))


@pytest.mark.parametrize("sampler", ["ddpm", "dpm++"])
def test_bound_buffers_change_nothing(photo, sampler):
    plain, bound = (
        Upscaler(Bundle(SMALL), engine("cpu", "fp32", None, {})).upscale(photo, steps=5, sampler=sampler)
        for engine in (OnnxRuntimeEngine, Bound)
    )
    np.testing.assert_array_equal(bound, plain)


def test_fp32_on_a_gpu_is_float32():
    assert cuda_options("fp32", {})["use_tf32"] == "0"
    assert cuda_options("fp32", {"use_tf32": "1"})["use_tf32"] == "1"
    assert cuda_options("fp16", {"device_id": "1"})["device_id"] == "1"


@pytest.mark.parametrize("options", [{"device_id": "x"}, {"prefer_nhwc": "yes"}, {"a": "b"}])
def test_wrong_cuda_options(options):
    with pytest.raises(OptionError):
        cuda_options("fp16", options)


@pytest.fixture
def with_cuda(monkeypatch):
    """A machine whose ONNX Runtime claims to have the provider, up to where a session is made."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])


def test_precisions_of_a_gpu(with_cuda):
    assert onnxruntime_engine.open_engine("gpu", "auto", None, {}).precision == "fp16"
    assert onnxruntime_engine.open_engine("gpu", "fp32", None, {}).precision == "fp32"
    with pytest.raises(DeviceError, match="in fp32 or fp16, not bf16"):
        onnxruntime_engine.open_engine("gpu", "bf16", None, {})


def test_float16_without_onnx(with_cuda, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(PackageError, match="fp16 needs the package onnx"):
        onnxruntime_engine.open_engine("gpu", "auto", None, {})
    assert onnxruntime_engine.open_engine("gpu", "fp32", None, {}).precision == "fp32"


def test_cuda_is_loaded_before_its_provider_is_looked_for(monkeypatch, capsys):
    loaded = []

    def preload():
        print("Failed to load libcublas")
        loaded.append("cuda")

    monkeypatch.setattr(onnxruntime, "preload_dlls", preload, raising=False)
    providers = {"cuda": "CUDAExecutionProvider"}
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [providers[name] for name in loaded])
    assert onnxruntime_engine.open_engine("gpu", "fp32", None, {}).device == "gpu:0"
    assert capsys.readouterr().out == ""
