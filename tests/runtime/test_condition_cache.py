"""Where the encoder's results are kept: in memory, in a file, or nowhere."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from srdiff import Upscaler, condition_cache
from srdiff.condition_cache import ConditionCache
from srdiff.doctor.golden import GOLDEN
from srdiff.graph_io import ENCODER, HEAD, REST, STEP
from srdiff.half_floats import HALVES
from srdiff.tiles import cut

LR = np.random.default_rng(0).uniform(-1, 1, (3, 24, 24)).astype(np.float32)
WINDOWS = cut(24, 24, (8, 8), 2, 2, 4)
ONE = 4 * 3 * 8 * 8  # bytes of a result
PLENTY = 10**9
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 40, 3)).astype(np.uint8)


class Encoder:
    def __init__(self) -> None:
        self.runs = 0

    def run(self, inputs):
        self.runs += 1
        return {"cond": inputs["lr"] * 2}


def budget(monkeypatch: pytest.MonkeyPatch, memory: int, disk: int) -> None:
    monkeypatch.setattr(condition_cache, "MEMORY_BYTES", memory)
    monkeypatch.setattr(condition_cache, "FILE_BYTES", disk)


def twice(encoder: Encoder, precision: str = "fp32") -> list[np.ndarray]:
    with ConditionCache(encoder, LR, len(WINDOWS), precision) as found:
        first = [found(window).copy() for window in WINDOWS]
        for window, expected in zip(WINDOWS, first):
            np.testing.assert_array_equal(found(window), expected)
    return first


@pytest.mark.parametrize(
    ("memory", "disk", "again"),
    [(PLENTY, 0, 0), (2 * ONE, PLENTY, 0), (0, PLENTY, 0), (2 * ONE, 3 * ONE, len(WINDOWS) - 5), (0, 0, len(WINDOWS))],
    ids=["in memory", "some of each", "in the file", "some of all", "nowhere"],
)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_what_is_not_kept_is_encoded_again(memory, disk, again, precision, tmp_path, monkeypatch):
    half = precision != "fp32" and memory < PLENTY
    budget(monkeypatch, memory // (1 + half), disk // (1 + half))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    encoder = Encoder()
    for window, found in zip(WINDOWS, twice(encoder, precision)):
        exact = window.lr(LR)[None] * 2
        # Half of the last place of 8 and of 11 bits.
        bound = {"fp32": 0, "bf16": 2**-8, "fp16": 2**-11}[precision] * half
        assert (np.abs(found - exact) <= bound * np.abs(exact)).all()
        assert (found == exact).all() == (not half)
    assert len(WINDOWS) > 8
    assert encoder.runs == len(WINDOWS) + again
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a Linux device")
def test_a_full_disk_costs_time_only(monkeypatch):
    budget(monkeypatch, 2 * ONE, PLENTY)
    full = Path("/dev/full").open("w+b", buffering=0)  # noqa: SIM115
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: full)
    encoder = Encoder()
    twice(encoder)
    assert encoder.runs == 2 * len(WINDOWS) - 2


def test_bfloat16_is_the_nearest_with_ties_to_even():
    bfloat16 = HALVES["bf16"]
    values = np.array([1, 1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-7 - 2**-9, np.inf, 3.4e38, 0, 1e-40], np.float32)
    nearest = np.array([1, 1, 1 + 2**-6, -1 - 2**-7, np.inf, np.inf, 0, 1e-40], np.float32)
    nearest[-1] = np.ldexp(np.rint(np.ldexp(float(values[-1]), 133)), -133)  # of the numbers below the smallest normal
    np.testing.assert_array_equal(bfloat16.widened(bfloat16.rounded(values)), nearest)
    odd = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001], np.uint32).view(np.float32)
    assert np.isnan(bfloat16.widened(bfloat16.rounded(odd))).all()


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("sampler", ["ddpm", "dpm++"])
def test_the_budget_changes_no_pixel(engine: str, sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(engine)

    def enlarged(memory: int, disk: int) -> tuple[bytes, set[str]]:
        budget(monkeypatch, memory, disk)
        bundle = GOLDEN / "golden.srdiff"
        upscaler = Upscaler.from_bundle(bundle, "cpu", engine, "fp32", tile=16, overlap=4)
        result = upscaler.upscale(PIXELS, steps=3, sampler=sampler, eta=1)
        return result.tobytes(), {name for name, *_ in upscaler._graphs._compiled}

    expected, graphs = enlarged(PLENTY, 0)
    assert graphs == {ENCODER, STEP}
    for memory, disk in ((0, PLENTY), (0, 0), (4096, 4096)):
        found, graphs = enlarged(memory, disk)
        assert found == expected
        assert graphs == ({HEAD, REST} if engine == "openvino" else {ENCODER, STEP})
