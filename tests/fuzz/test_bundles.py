"""A short run of the mutated bundles."""

from __future__ import annotations

import pytest

from . import bundles


def test_the_first_mutated_bundles_end_in_success_or_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    for engine in bundles.ENGINES:
        pytest.importorskip(engine)
    assert bundles.FUZZ.run(0, 100) == []
    assert capfd.readouterr().out.startswith("100 files ended")
