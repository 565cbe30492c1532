"""The device of this process, and the others that train with it (``msrun``)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from signal import SIGTERM
from typing import Callable, Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from srdiff.errors import DeviceError, OptionError, one_line

from .settings import TrainSettings

TARGETS = {"cpu": "CPU", "ascend": "Ascend", "gpu": "GPU"}
# The compiler goes down by a few calls per trained parameter; a whole SRDiff has hundreds and the usual limit is 1000.
CALL_DEPTH = 20_000
Reducer = Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Devices:
    """This device's number among all that train together. The leading one logs and saves."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def gradient_reducer(self, weights: Sequence[Parameter]) -> Reducer | None:
        """Averages gradients over all devices; None for a single one."""
        return nn.DistributedGradReducer(list(weights), mean=True, degree=self.count) if self.count > 1 else None

    def mean(self) -> nn.Cell | None:
        """A cell that averages a tensor over all devices; None for a single one."""
        return _Mean(self.count) if self.count > 1 else None

    def any_signal(self, caught: int | None) -> int | None:
        """A signal to stop at, if any device has caught one; all must call this together."""
        mean = self.mean()
        if mean is None:
            return caught
        total = float(mean(Tensor(np.array([caught or 0], np.float32))).asnumpy()[0])
        return (caught or SIGTERM) if total else None


class _Mean(nn.Cell):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.total = ops.AllReduce()  # sums: MindSpore's CPU kernel does nothing else
        self.count = count

    def construct(self, x: Tensor) -> Tensor:
        return self.total(x) / self.count


def join_devices(settings: TrainSettings) -> Devices:
    """Choose the device, and join the processes that ``msrun`` started with this one.

    Raises:
        DeviceError: MindSpore has no such device here, or the processes do not find each other.
        OptionError: the batch cannot be shared evenly.
    """
    try:
        ms.set_context(mode=ms.GRAPH_MODE, device_target=TARGETS[settings.device])
        ms.set_recursion_limit(CALL_DEPTH)
        Tensor(np.zeros(1, np.float32)) + 1  # the device is first touched here
    except Exception as error:  # MindSpore raises ValueError, RuntimeError, … by device and version
        raise DeviceError(
            f"device {settings.device} is not available ({one_line(error)}); install MindSpore for it, "
            "or choose --set device=cpu --set precision=fp32"
        ) from error
    if int(os.environ.get("MS_WORKER_NUM", "1")) == 1:  # msrun sets it
        return Devices()
    try:
        ms.communication.init()
        ms.set_auto_parallel_context(parallel_mode=ms.ParallelMode.DATA_PARALLEL, gradients_mean=True)
        devices = Devices(ms.communication.get_rank(), ms.communication.get_group_size())
    except Exception as error:
        raise DeviceError(f"the processes could not be joined ({one_line(error)}); see msrun's log folder") from error
    if settings.batch % devices.count:
        raise OptionError(
            f"batch is {settings.batch}; {devices.count} devices share it evenly, so choose a multiple of that"
        )
    return devices
