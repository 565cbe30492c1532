"""LPIPS: the ONNX graph against the ``lpips`` package and PyTorch; the weights file against tampering."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from grading import lpips_alex, lpips_weights
from grading.lpips_alex import PADS, POOLED, SCALE, SHIFT, STRIDES, Lpips, build_graph
from grading.lpips_weights import load_weights
from skimage import data

from srdiff.errors import ImageError
from srdiff_training.measure import lpips_package
from srdiff_training.measure.package_files import PackageFileError

CHANNELS = (3, 64, 192, 384, 256, 256)
KERNELS = (11, 5, 3, 3, 3)
# Both sides sum float32 in another order; measured up to 2e-7.
TOLERANCE = 1e-5


def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Random and photo pairs of odd and even sizes."""
    rng = np.random.default_rng(5)
    found = [
        tuple(rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)) for height, width in ((31, 31), (64, 81))
    ]
    for image in (data.astronaut(), data.chelsea(), data.coffee()):
        image = image[100:228, 100:229]
        found.append((image, np.clip(image + rng.normal(0, 25, image.shape), 0, 255).astype(np.uint8)))
        found.append((image, image[:, ::-1].copy()))
    return found


def random_weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    weights = {}
    for layer, kernel in enumerate(KERNELS):
        shape = (CHANNELS[layer + 1], CHANNELS[layer], kernel, kernel)
        weights[f"conv{layer}.weight"] = (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        weights[f"conv{layer}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
        weights[f"head{layer}"] = rng.uniform(0, 1, (1, shape[0], 1, 1)).astype(np.float32)
    return weights


def torch_lpips(weights: dict[str, np.ndarray], pair: np.ndarray) -> float:
    torch = pytest.importorskip("torch")
    fn = torch.nn.functional
    x = (torch.tensor(pair) - torch.tensor(SHIFT).reshape(1, 3, 1, 1)) / torch.tensor(SCALE).reshape(1, 3, 1, 1)
    total = 0.0
    for layer in range(len(KERNELS)):
        if layer in POOLED:
            x = fn.max_pool2d(x, 3, 2)
        weight, bias = (torch.tensor(weights[f"conv{layer}.{name}"]) for name in ("weight", "bias"))
        x = fn.relu(fn.conv2d(x, weight, bias, STRIDES[layer], PADS[layer]))
        unit = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
        head = torch.tensor(weights[f"head{layer}"])
        total += float((head * (unit[:1] - unit[1:]).square()).sum(1).mean())
    return total


@pytest.mark.parametrize("size", [(31, 31), (32, 47), (65, 64)])
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_graph_agrees_with_torch_on_random_weights(engine: str, size: tuple[int, int], monkeypatch: Any) -> None:
    pytest.importorskip(engine)
    if engine == "openvino":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    weights = random_weights()
    pair = np.random.default_rng(2).uniform(-1, 1, (2, 3, *size)).astype(np.float32)
    run = lpips_alex._open(build_graph(weights).SerializeToString())
    assert float(run(pair)) == pytest.approx(torch_lpips(weights, pair), rel=TOLERANCE)


def test_agrees_with_the_lpips_package(weights: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's own code and linear heads; the convolutions come from our file, not a download."""
    torch = pytest.importorskip("torch")

    def alexnet(**_: Any) -> SimpleNamespace:
        layers: list[Any] = []
        for layer, kernel in enumerate(KERNELS):
            if layer in POOLED:
                layers.append(torch.nn.MaxPool2d(3, 2))
            conv = torch.nn.Conv2d(CHANNELS[layer], CHANNELS[layer + 1], kernel, STRIDES[layer], PADS[layer])
            conv.load_state_dict({name: torch.tensor(weights[f"conv{layer}.{name}"]) for name in ("weight", "bias")})
            layers += [conv, torch.nn.ReLU()]
        return SimpleNamespace(features=torch.nn.Sequential(*layers, torch.nn.MaxPool2d(3, 2)))

    torchvision = ModuleType("torchvision")
    torchvision.models = ModuleType("torchvision.models")  # type: ignore[attr-defined]
    torchvision.models.alexnet = alexnet  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    monkeypatch.setitem(sys.modules, "torchvision.models", torchvision.models)
    reference = pytest.importorskip("lpips").LPIPS(net="alex", version="0.1", verbose=False)
    ours = Lpips()
    for first, second in pairs():
        tensors = [torch.tensor(image.transpose(2, 0, 1)[None] / 127.5 - 1).float() for image in (first, second)]
        with torch.no_grad():
            assert ours(first, second) == pytest.approx(float(reference(*tensors)), abs=TOLERANCE)


def test_equal_images_have_no_distance_and_order_is_sane(weights: dict[str, np.ndarray]) -> None:
    measure = Lpips()
    image = data.astronaut()[:64, :64]
    noisy = [
        np.clip(image + np.random.default_rng(0).normal(0, sigma, image.shape), 0, 255).astype(np.uint8)
        for sigma in (5, 40)
    ]
    assert measure(image, image) == 0 < measure(image, noisy[0]) < measure(image, noisy[1])


def test_too_small_an_image_is_refused_in_words(weights: dict[str, np.ndarray]) -> None:
    with pytest.raises(ImageError, match="at least 31x31"):
        Lpips()(np.zeros((30, 99, 3), np.uint8), np.zeros((30, 99, 3), np.uint8))


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch evil",)


def test_a_pickle_with_code_in_it_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PackageFileError, match="system"):
        lpips_package.unpickle(pickle.dumps(Evil()))
    assert not (tmp_path / "evil").exists()


def test_a_file_with_another_hash_is_not_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRDIFF_CACHE", str(tmp_path))
    monkeypatch.setattr(lpips_weights, "unpickle", lambda _: pytest.fail("unpickled"))
    (tmp_path / lpips_weights.PACKAGE.members[0].name).write_bytes(pickle.dumps({}))
    with pytest.raises(PackageFileError, match="not the published"):
        load_weights()


def test_a_failed_download_is_one_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: list[str], **_: Any) -> None:
        assert "--require-hashes" in command
        raise subprocess.CalledProcessError(1, command, stderr="WARNING: retrying\nERROR: no such host\n")

    monkeypatch.setenv("SRDIFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(PackageFileError, match=r"\(ERROR: no such host\); connect") as caught:
        load_weights()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()
