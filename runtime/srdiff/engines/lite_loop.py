"""A MindSpore Lite graph run again and again on tensors that stay on the Ascend."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from .base import Loop


class ResidentLoop(Loop):
    """Inputs and results are tensors of the device; each fed back pair changes places after a run.

    cond is uploaded once and x_t never; per step only what ``put`` brings goes over the bus. A tensor of a device keeps
    its own memory: ``set_data_from_numpy`` copies into it, ``get_data_to_numpy`` out of it ("Tensor", mindspore_lite
    API 2.3.1 to 2.11).

    Args:
        lite: the module.
        predict: of the model, safe to call from several threads.
        inputs: names of the graph's inputs, in order.
        outputs: names of its results, in order.
        feedback: the input that each result becomes.
        device: of the tensors, like ``ascend:0``.
    """

    resident = True

    def __init__(
        self,
        lite: Any,
        predict: Any,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        feedback: Mapping[str, str],
        device: str,
    ) -> None:
        self._lite = lite
        self._predict = predict
        self._names = inputs
        self._output_names = outputs
        self._feedback = feedback
        self._device = device
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}

    def put(self, name: str, array: np.ndarray) -> None:
        if name not in self._inputs:
            self._inputs[name] = self._tensor(array.shape)
            for output, fed in self._feedback.items():
                if fed == name:
                    self._outputs[output] = self._tensor(array.shape)
        self._inputs[name].set_data_from_numpy(np.ascontiguousarray(array))

    def run(self) -> None:
        self._predict(
            [self._inputs[name] for name in self._names], [self._outputs[name] for name in self._output_names]
        )
        for output, name in self._feedback.items():
            self._inputs[name], self._outputs[output] = self._outputs[output], self._inputs[name]

    def get(self, output: str) -> np.ndarray:
        return np.array(self._inputs[self._feedback[output]].get_data_to_numpy())

    def _tensor(self, shape: tuple[int, ...]) -> Any:
        return self._lite.Tensor(shape=list(shape), dtype=self._lite.DataType.FLOAT32, device=self._device)
