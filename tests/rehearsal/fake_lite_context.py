"""``mindspore_lite.Context``: "Context", mindspore_lite API 2.0 to 2.11."""

from __future__ import annotations

import types

# What ACL calls each of Lite's modes, from the same page.
ACL_MODES = {
    "enforce_fp32": "force_fp32",
    "preferred_fp32": "allow_fp32_to_fp16",
    "enforce_fp16": "force_fp16",
    "enforce_origin": "must_keep_origin_dtype",
    "preferred_optimal": "allow_mix_precision",
}
HOST_MODES = ("enforce_fp32", "preferred_fp16")


class FakeDevice:
    """The "cpu properties" and "gpu properties"."""

    modes: tuple[str, ...] = HOST_MODES

    def __init__(self) -> None:
        self._mode, self._device_id = "enforce_fp16", 0
        self.thread_num = self.inter_op_parallel_num = 0

    @property
    def device_id(self) -> int:
        return self._device_id

    @device_id.setter
    def device_id(self, device_id) -> None:
        if not isinstance(device_id, int):
            raise TypeError(f"device_id must be int, but got {type(device_id)}.")
        if device_id < 0:
            raise ValueError("ascend_device_id must be a non-negative int.")
        self._device_id = device_id

    @property
    def precision_mode(self) -> str:
        return self._mode

    @precision_mode.setter
    def precision_mode(self, mode) -> None:
        if mode not in self.modes:
            raise ValueError(f"ascend_precision_mode must be in {list(self.modes)}, but got {mode}.")
        self._mode = mode


class FakeAscend(FakeDevice):
    """The "ascend properties" of 2.0; the default mode is that of "Ascend Conversion Tool Description"."""

    modes = tuple(ACL_MODES)


class FakeAscend21(FakeAscend):
    """With a provider: "Context" of 2.7; in 2.1 and 2.2 by the example of "ModelGroup"."""

    _provider = ""

    @property
    def provider(self) -> str:
        return self._provider

    @provider.setter
    def provider(self, provider) -> None:
        if provider not in ("", "ge"):
            raise ValueError(f"provider must be '' or 'ge', but got {provider}.")  # rehearsed only
        self._provider = provider


class FakeContext:
    ascend_class = FakeAscend

    def __init__(self) -> None:
        self.cpu, self.gpu, self.ascend = FakeDevice(), FakeDevice(), self.ascend_class()
        self._target = ["cpu"]

    @property
    def target(self) -> list[str]:
        return self._target

    @target.setter
    def target(self, target) -> None:
        if not isinstance(target, list) or not all(isinstance(element, str) for element in target):
            raise TypeError("target must be a list of str.")
        if not {element.lower() for element in target} <= {"cpu", "gpu", "ascend"}:
            raise ValueError(f"target elements must be in ['cpu', 'gpu', 'ascend'], but got {target}.")
        self._target = target


def context_class(library: types.ModuleType) -> type:
    later = library.generation >= (2, 1)
    return type("Context", (FakeContext,), {"ascend_class": FakeAscend21 if later else FakeAscend})
