"""Shared by the tests of the networks."""

from __future__ import annotations

from typing import Iterator

import pytest


@pytest.fixture
def pynative() -> Iterator[None]:
    """Run cells operator by operator: for one pass through a small network that is quicker than compiling it."""
    ms = pytest.importorskip("mindspore")
    ms.set_context(mode=ms.PYNATIVE_MODE, device_target="CPU")
    yield
    ms.set_context(mode=ms.GRAPH_MODE)
