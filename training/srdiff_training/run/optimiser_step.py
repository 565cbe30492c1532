"""One step of training as one graph: loss, gradient, clipping, Adam, averaged weights."""

from __future__ import annotations

from typing import Callable, Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from .settings import TrainSettings

ADAM_EPS = 1e-8  # beside the uncorrected second moment, the paper's "epsilon hat" (arXiv 1412.6980, section 2)


class TrainStep(nn.Cell):
    """Called with the step's rates and a batch, it changes the weights and gives (loss, norm of the gradient).

    Args:
        loss: a cell from a batch to a number.
        weights: what is trained.
        settings: Adam's betas, the norm to clip at, the precision.
        reduce_gradients, reduce_loss: average over devices; None on a single one.

    Attributes:
        weights, average, moment1, moment2: the trained parameters, their exponential moving average, Adam's moments.
    """

    LOSS_SCALE = 1024.0  # lifts fp16 gradients above the smallest number

    def __init__(
        self,
        loss: nn.Cell,
        weights: Sequence[Parameter],
        settings: TrainSettings,
        reduce_gradients: Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]] | None = None,
        reduce_loss: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.loss = loss
        self.weights = ParameterTuple(weights)
        self.average = self.weights.clone("average", init="same")
        self.moment1 = self.weights.clone("moment1", init="zeros")
        self.moment2 = self.weights.clone("moment2", init="zeros")
        self.scale = self.LOSS_SCALE if settings.precision == "fp16" else 1.0
        self.skips_overflow = settings.precision == "fp16"
        self.gradient = ops.GradOperation(get_by_list=True, sens_param=True)(loss, self.weights)
        self.reduce_gradients = reduce_gradients
        self.reduce_loss = reduce_loss
        self.clip_norm = settings.clip_norm
        self.beta1, self.beta2 = settings.beta1, settings.beta2
        self.adam = ops.Adam()
        self.length = len(self.weights)

    def construct(self, rates: Tensor, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """``rates`` [4] float32 is a row of :func:`rates_at`."""
        loss = self.loss(*batch)
        gradients = self.gradient(*batch, ops.fill(loss.dtype, loss.shape, self.scale))
        if self.reduce_gradients is not None:
            gradients = self.reduce_gradients(gradients)
        if self.reduce_loss is not None:
            loss = self.reduce_loss(loss)
        squares = 0.0
        for gradient in gradients:
            squares += ops.square(gradient).sum()
        norm = ops.sqrt(squares) / self.scale
        factor = self.clip_norm / ops.maximum(norm, self.clip_norm) / self.scale
        learning_rate, beta1_power, beta2_power, ema = rates[0], rates[1], rates[2], rates[3]
        finite = True
        if self.skips_overflow:  # then the step changes no weight, and the moments fade by one step
            finite = ops.isfinite(norm)
            learning_rate = ops.select(finite, learning_rate, ops.zeros_like(learning_rate))
        for k in range(self.length):
            weight = self.weights[k]
            gradient = gradients[k] * factor
            if self.skips_overflow:
                gradient = ops.select(ops.broadcast_to(finite, gradient.shape), gradient, ops.zeros_like(gradient))
            done = self.adam(
                weight,
                self.moment1[k],
                self.moment2[k],
                beta1_power,
                beta2_power,
                learning_rate,
                self.beta1,
                self.beta2,
                ADAM_EPS,
                gradient,
            )
            average = self.average[k]
            loss = ops.depend(loss, done)
            loss = ops.depend(loss, ops.assign_add(average, (weight - average) * ema))
        return loss, norm


def rates_at(step: int, settings: TrainSettings) -> np.ndarray:
    """Numbers of a step (0 is the first): learning rate, beta1 and beta2 to the power of step + 1, weight of the new
    value in the average: [4] float32.

    The learning rate rises linearly over ``warmup_steps`` and follows a cosine from ``learning_rate`` to
    ``final_learning_rate``. The average forgets its beginning faster: its weight is at least 9 / (step + 11).
    """
    cosine = 0.5 * (1 + np.cos(np.pi * min(1.0, step / settings.steps)))
    rate = settings.final_learning_rate + (settings.learning_rate - settings.final_learning_rate) * cosine
    if step < settings.warmup_steps:
        rate *= (step + 1) / settings.warmup_steps
    count = step + 1
    ema = max(1 - settings.ema_decay, 9 / (count + 10))
    return np.array([rate, settings.beta1**count, settings.beta2**count, ema], np.float32)


def lower_precision(network: nn.Cell, precision: str) -> None:
    """Let convolutions and dense layers, and all that follows them, compute in ``fp16`` or ``bf16``; weights stay
    float32.
    """
    if precision == "fp32":
        return
    for cell in network.cells_and_names():
        if isinstance(cell[1], (nn.Conv2d, nn.Conv2dTranspose, nn.Dense)):
            cell[1].to_float({"fp16": ms.float16, "bf16": ms.bfloat16}[precision])
