"""The encoder's results of an image's windows, which every step needs again."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

from .engines import Graph
from .engines.base import computing
from .graph_io import COND, ENCODER, LR
from .tiles import Window

# Kept in memory; what goes beyond lies in a temporary file.
COND_BYTES = 1 << 30


class ConditionCache:
    """Called with a window, it gives the encoder's result [1, C, H, W] float32; computed once per window.

    Beyond ``COND_BYTES`` results go to a file in the system's folder for temporary ones (``TMPDIR``): reading them
    back takes a hundredth of computing them again, which is what happens where the disk takes no more. The file
    vanishes with this object or the process.

    Args:
        encoder: compiled for the windows' shape.
        lr: the whole input [3, h, w] float32.
    """

    def __init__(self, encoder: Graph, lr: np.ndarray) -> None:
        self._encoder = encoder
        self._lr = lr
        self._kept: dict[tuple[int, int], np.ndarray] = {}
        self._room = COND_BYTES
        self._places: dict[tuple[int, int], int] = {}  # in the file
        self._file: Any = None
        self._refused = False

    def __enter__(self) -> ConditionCache:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._file is not None:
            self._file.close()

    def __call__(self, window: Window) -> np.ndarray:
        key = (window.top, window.left)
        if key in self._kept:
            return self._kept[key]
        if key in self._places:
            return self._read(key)
        with computing(ENCODER):
            cond = self._encoder.run({LR: np.ascontiguousarray(window.lr(self._lr))[None]})[COND]
        if cond.nbytes <= self._room:
            self._room -= cond.nbytes
            self._kept[key] = cond
        elif not self._refused:
            self._write(key, cond)
        return cond

    def _write(self, key: tuple[int, int], cond: np.ndarray) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="srdiff-", buffering=0)  # noqa: SIM115  # closed by __exit__
            place = self._file.seek(0, os.SEEK_END)
            if self._file.write(cond) != cond.nbytes:  # cond.tofile would not tell
                raise OSError("the disk is full")
        except OSError:  # the windows that are not in the file are computed again
            self._refused = True
        else:
            self._places[key] = place
            self._shape = cond.shape

    def _read(self, key: tuple[int, int]) -> np.ndarray:
        cond = np.empty(self._shape, np.float32)
        self._file.seek(self._places[key])
        self._file.readinto(cond)
        return cond
