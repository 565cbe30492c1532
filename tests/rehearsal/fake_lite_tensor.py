"""``mindspore_lite.Tensor``: "Tensor", mindspore_lite API 2.0, 2.1, 2.3.1 and 2.7.1 to 2.11."""

from __future__ import annotations

import types
from enum import Enum
from typing import Any

import numpy as np


class DataType(Enum):
    """ "DataType", mindspore_lite API 2.0 to 2.11."""

    UNKNOWN = 0
    FLOAT16 = 42
    FLOAT32 = 43


class FakeTensor:
    """A tensor of the host, or of a device: then its numbers are in ``store`` and come out by a copy alone."""

    library: Any

    def _setup(self, shape=(), dtype=None, device=None) -> None:
        self.shape, self.dtype, self.name = list(shape or ()), dtype or DataType.FLOAT32, ""
        self.device = device or "None:-1"
        self.on_device = device is not None
        self.store = np.full(self.shape, np.nan, np.float32)
        self.mirror = np.full(self.shape, np.nan, np.float32)

    @property
    def data_size(self) -> int:
        """ "Tensor.data_size": elements times the size of one."""
        return int(np.prod(self.shape)) * 4

    def __array__(self, *_args, **_options):
        raise TypeError("a Tensor of MindSpore Lite is no array: call get_data_to_numpy")

    def set_data_from_numpy(self, numpy_obj) -> None:
        """ "Tensor.set_data_from_numpy"; its errors and more from python/api/tensor.py and python/src/tensor_pybind.cc.

        An array that is contiguous in Fortran's order alone passes Python's check and is refused by a return value that
        nobody looks at. A host tensor reads the array where it is; a tensor of a device copies it.
        """
        if not isinstance(numpy_obj, np.ndarray):
            raise TypeError(f"numpy_obj must be numpy.ndarray, but got {type(numpy_obj)}.")
        if not (numpy_obj.flags.c_contiguous or numpy_obj.flags.f_contiguous):
            numpy_obj = np.ascontiguousarray(numpy_obj)
        if numpy_obj.dtype != np.float32:
            raise RuntimeError(f"data type not equal! Numpy type: {numpy_obj.dtype.type}, Tensor type: {self.dtype}")
        if numpy_obj.nbytes != self.data_size:
            raise RuntimeError(f"data size not equal! Numpy size: {numpy_obj.nbytes}, Tensor size: {self.data_size}")
        if not numpy_obj.flags.c_contiguous:
            return
        if self.on_device:
            self.library.bus.traffic.append(("h2d", numpy_obj.nbytes))
            self.store[...] = numpy_obj.reshape(self.shape)
        else:
            self.mirror = numpy_obj.reshape(self.shape)

    def get_data_to_numpy(self) -> np.ndarray:
        """ "Tensor.get_data_to_numpy"; python/src/tensor_pybind.cc: what a device holds is copied to the host's memory,
        of which this is a view."""
        if self.on_device:
            self.library.bus.traffic.append(("d2h", self.store.nbytes))
            self.mirror[...] = self.store
        return self.mirror

    def read(self) -> np.ndarray:
        """For predict, which carries a host tensor's data to the device."""
        if self.on_device:
            return self.store
        self.library.bus.traffic.append(("h2d", self.mirror.nbytes))
        return self.mirror


class FakeTensor20(FakeTensor):
    def __init__(self, tensor=None) -> None:
        """ "Tensor", mindspore_lite API 2.0."""
        self._setup()


class FakeTensor21(FakeTensor):
    def __init__(self, tensor=None, shape=None, dtype=None, device=None) -> None:
        """ "Tensor", mindspore_lite API 2.1 to 2.11; the number of a device from 2.3.1 on."""
        if device is not None:
            kind, _, number = device.partition(":")
            if kind != "ascend" or (number and self.library.generation < (2, 3)):
                raise ValueError(f"device must be ascend or ascend:id, but got {device}.")
            if number and int(number) not in range(8):
                raise ValueError(f"device id must be 0 to 7, but got {device}.")
        if dtype is not None and not isinstance(dtype, DataType):
            raise TypeError(f"dtype must be DataType, but got {type(dtype)}.")
        if shape is not None and not all(isinstance(size, int) for size in shape):
            raise TypeError("shape element must be int.")
        self._setup(shape, dtype, device)


def tensor_class(library: types.ModuleType) -> type:
    base = FakeTensor20 if library.generation < (2, 1) else FakeTensor21
    return type("Tensor", (base,), {"library": library})
