"""Where the encoder's results are kept: in memory, in a file, or nowhere."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from srdiff import condition_cache
from srdiff.condition_cache import ConditionCache
from srdiff.tiles import cut

LR = np.random.default_rng(0).uniform(-1, 1, (3, 24, 24)).astype(np.float32)
WINDOWS = cut(24, 24, (8, 8), 2, 2, 4)
ONE = 4 * 3 * 8 * 8  # bytes of a result


class Encoder:
    def __init__(self) -> None:
        self.runs = 0

    def run(self, inputs):
        self.runs += 1
        return {"cond": inputs["lr"] * 2}


def twice(encoder: Encoder) -> None:
    with ConditionCache(encoder, LR) as found:
        for _ in range(2):
            for window in WINDOWS:
                np.testing.assert_array_equal(found(window), window.lr(LR)[None] * 2)


@pytest.mark.parametrize("room", [10**9, 2 * ONE, 0], ids=["in memory", "some of each", "in the file"])
def test_each_window_is_encoded_once(room, tmp_path, monkeypatch):
    monkeypatch.setattr(condition_cache, "COND_BYTES", room)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    encoder = Encoder()
    twice(encoder)
    assert encoder.runs == len(WINDOWS) > 4
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a Linux device")
def test_a_full_disk_costs_time_only(monkeypatch):
    monkeypatch.setattr(condition_cache, "COND_BYTES", 2 * ONE)
    full = Path("/dev/full").open("w+b", buffering=0)  # noqa: SIM115
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: full)
    encoder = Encoder()
    twice(encoder)
    assert encoder.runs == 2 * len(WINDOWS) - 2
