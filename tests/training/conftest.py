"""Shared by the tests of the networks."""

from __future__ import annotations

from contextlib import suppress
from typing import Iterator

import pytest

with suppress(ImportError):
    import torch

    torch.set_num_threads(1)  # on small tensors a second thread waits for MindSpore's and costs a hundred times more


@pytest.fixture
def pynative() -> Iterator[None]:
    """Run cells operator by operator: for one pass through a small network that is quicker than compiling it."""
    ms = pytest.importorskip("mindspore")
    ms.set_context(mode=ms.PYNATIVE_MODE, device_target="CPU")
    yield
    ms.set_context(mode=ms.GRAPH_MODE)
