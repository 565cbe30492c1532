"""Initial weights from a seed, the same on every device and version of MindSpore."""

from __future__ import annotations

import re

import mindspore as ms
import numpy as np
from mindspore import nn

from ..model.rrdb import NEGATIVE_SLOPE

# ESRGAN (Wang et al., arXiv 1809.00219, section 3.1) starts its dense blocks small.
DENSE_BLOCK_SCALE = 0.1


def initialise(network: nn.Cell, seed: int) -> None:
    """Fill every parameter: RRDB and image head by He et al. (arXiv 1502.01852), the UNet evenly within
    1 / sqrt(fan in), as PyTorch's layers begin.
    """
    rng = np.random.Generator(np.random.Philox(key=seed))
    fan_in = 1
    for parameter in network.get_parameters():
        shape = tuple(parameter.shape)
        if len(shape) > 1:
            fan_in = int(np.prod(shape[1:]))  # a bias follows its weight
        if parameter.name.startswith(("encoder.", "head.")):
            deviation = np.sqrt(2 / (1 + NEGATIVE_SLOPE**2) / fan_in) if len(shape) > 1 else 0.0
            if re.search(r"\.(RDB|upconv)\d\.", parameter.name):
                deviation *= DENSE_BLOCK_SCALE
            values = rng.standard_normal(shape) * deviation
        elif parameter.name.endswith(".g"):  # ReZero
            values = np.zeros(shape)
        else:
            values = rng.uniform(-1, 1, shape) / np.sqrt(fan_in)
        parameter.set_data(ms.Tensor(values.astype(np.float32)))
