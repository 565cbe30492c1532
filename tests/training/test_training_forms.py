"""The forms that layers take in training against those that are exported: same values, same gradients."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mindspore")

import mindspore as ms
from mindspore import nn, ops

from srdiff_training.model.layers import CroppedTranspose, Mish, PixelShuffle
from srdiff_training.model.rrdb import DenseBlock
from srdiff_training.run.initial_weights import initialise

# Of the largest value; sums in another order differ by 4e-7 at most.
BOUND = 5e-6


def relative(actual: np.ndarray, expected: np.ndarray) -> float:
    assert actual.shape == expected.shape
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


@pytest.mark.usefixtures("pynative")
@pytest.mark.parametrize(
    "cell",
    [
        lambda: DenseBlock(6, 3, has_bias=False),
        lambda: DenseBlock(6, 3, has_bias=True),
        lambda: PixelShuffle(6),
        lambda: CroppedTranspose(6, 4, 7, 4),
        lambda: CroppedTranspose(6, 4, 4, 2),
    ],
    ids=["dense", "dense with bias", "shuffle", "transposed 7/4", "transposed 4/2"],
)
def test_same_values_and_gradients(cell) -> None:
    cell = cell()
    initialise(cell, 1)
    for parameter in cell.get_parameters():  # biases start at zero, which would hide them
        if parameter.name.endswith("bias"):
            parameter.set_data(ms.Tensor(np.random.default_rng(2).standard_normal(parameter.shape).astype(np.float32)))
    rng = np.random.default_rng(0)
    x = ms.Tensor(rng.standard_normal((2, 6, 5, 7)).astype(np.float32))
    weight = ms.Tensor(rng.standard_normal(cell(x).shape).astype(np.float32))

    def weighted(x):  # not constant, so that a misplaced gradient shows
        return (cell(x) * weight).sum()

    results = []
    for training in (False, True):
        cell.set_train(training)
        gradients = ops.GradOperation(get_all=True, get_by_list=True)(
            weighted, ms.ParameterTuple(cell.get_parameters())
        )
        (by_x,), by_weights = gradients(x)
        results.append([array.asnumpy() for array in (cell(x), by_x, *by_weights)])
    for exported, trained in zip(*results):
        assert relative(trained, exported) < BOUND


def test_gradient_of_mish() -> None:
    """Against differences of the formula in float64; also where exp would overflow."""

    class Graph(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.gradient = ops.GradOperation()(Mish())

        def construct(self, x):
            return self.gradient(x)

    def mish(x: np.ndarray) -> np.ndarray:
        return x * np.tanh(np.logaddexp(0, x))

    x = np.concatenate([np.linspace(-12, 12, 97), [-200.0, -60, 60, 200]])
    expected = (mish(x + 1e-5) - mish(x - 1e-5)) / 2e-5
    actual = Graph()(ms.Tensor(x.astype(np.float32))).asnumpy()
    assert np.abs(actual - expected).max() < 2e-6  # float32's rounding; measured 4e-7
