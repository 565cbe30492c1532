"""The mode in which cells are not compiled, and what it leaves."""

from __future__ import annotations

import pytest

ms = pytest.importorskip("mindspore")

from srdiff_training.model.one_by_one import operator_by_operator  # noqa: E402


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE], ids=["graph", "pynative"])
def test_the_context_is_as_before(mode: int) -> None:
    """After an error, too."""
    ms.set_context(mode=mode)
    try:
        with pytest.raises(ZeroDivisionError), operator_by_operator():
            assert (ms.get_context("mode"), ms.get_context("pynative_synchronize")) == (ms.PYNATIVE_MODE, True)
            raise ZeroDivisionError
        assert (ms.get_context("mode"), ms.get_context("pynative_synchronize")) == (mode, False)
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)
