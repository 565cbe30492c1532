"""Cells run operator by operator, where compiling them would cost more than it saves."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import mindspore as ms


@contextmanager
def operator_by_operator() -> Iterator[None]:
    """Compile nothing within, for networks that are small or run only a few times.

    Operators wait for each other: MindSpore's threads else spin while they wait, which costs many times what small
    operators do.
    """
    before = {name: ms.get_context(name) for name in ("mode", "pynative_synchronize")}
    ms.set_context(mode=ms.PYNATIVE_MODE, pynative_synchronize=True)
    try:
        yield
    finally:
        ms.set_context(**before)
