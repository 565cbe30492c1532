"""An Upscaler goes to other processes: pickled it reopens there, forked it is used there."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from srdiff import Upscaler
from srdiff.doctor.golden import GOLDEN as GOLDEN_FOLDER
from srdiff.errors import OptionError

GOLDEN = GOLDEN_FOLDER / "golden.srdiff"
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8)

FORKED = """
import os, signal, sys
import numpy as np
from srdiff import Upscaler

def opened():
    return Upscaler.from_bundle(sys.argv[2], engine=sys.argv[1], threads=2)

pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8)
upscaler = opened()
expected = upscaler.upscale(pixels, steps=2)
children = []
for work in ("the inherited one", "another size of it", "a new one", "a new one in its place"):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        if work == "another size of it":
            upscaler.upscale(pixels[:16], steps=1)
        other = opened() if work.startswith("a new one") else upscaler
        if work == "a new one in its place":
            upscaler = other
        # As multiprocessing's children end: libraries' own clean-up may wait for threads that are not there.
        os._exit(0 if (other.upscale(pixels, steps=2) == expected).all() else 3)
    children.append((work, child))
for work, child in children:
    assert os.waitpid(child, 0)[1] == 0, work
"""
SIGNALLED = """
import gc, os, signal, sys
from srdiff import Upscaler
models = [Upscaler.from_bundle(sys.argv[2], engine=sys.argv[1]) for number in range(3)]
while models:
    del models[0]
    gc.collect()
heard = []
signal.signal(signal.SIGTERM, lambda *words: heard.append(words))
os.kill(os.getpid(), signal.SIGTERM)
assert heard
"""


def test_another_process_is_told_what_was_chosen_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not left to choose again: with another memory or CPU it would make other pixels."""
    monkeypatch.chdir(GOLDEN.parent)
    upscaler = Upscaler.from_bundle(GOLDEN.name, "cpu", threads=1)
    _, (place, device, engine, precision, threads, tile, overlap, _) = upscaler.__reduce__()
    assert (place, device, threads) == (GOLDEN.resolve(), "cpu", 1)
    assert (engine, precision) == (upscaler.engine.name, upscaler.engine.precision)
    assert (tile, overlap) == (upscaler.tile, upscaler.overlap)


@pytest.fixture(params=["openvino", "onnxruntime"])
def engine(request: pytest.FixtureRequest) -> str:
    if find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here, and signals of another kind")
@pytest.mark.parametrize("program", [FORKED, SIGNALLED], ids=["forked", "signalled"])
def test_children_use_it_and_signals_are_heard(program: str, engine: str) -> None:
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", program, engine, str(GOLDEN)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


def test_pickled_it_reopens_with_the_same_settings(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(GOLDEN_FOLDER)
    upscaler = Upscaler.from_bundle(GOLDEN.name, engine=engine, precision="fp32", threads=1, tile=32, overlap=8)
    sent = pickle.dumps(upscaler)
    assert len(sent) < 1000
    monkeypatch.chdir(tmp_path)
    back = pickle.loads(sent)
    for name in ("tile", "overlap", "scale"):
        assert getattr(back, name) == getattr(upscaler, name)
    for name in ("name", "device", "precision", "threads"):
        assert getattr(back.engine, name) == getattr(upscaler.engine, name)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(upscaler.upscale, PIXELS, 3, 2).result(timeout=120)
    assert (found == upscaler.upscale(PIXELS, 3, 2)).all()


class Own(Upscaler):
    """A program's own, with its methods."""


def test_one_of_a_subclass_comes_back_as_one(engine: str) -> None:
    assert type(pickle.loads(pickle.dumps(Own.from_bundle(GOLDEN, engine=engine)))) is Own


def test_one_around_an_engine_says_what_to_do(engine: str) -> None:
    made = Upscaler.from_bundle(GOLDEN, engine=engine)
    with pytest.raises(pickle.PicklingError, match=r"Upscaler\.from_bundle"):
        pickle.dumps(Upscaler(made.bundle, made.engine))


@pytest.mark.parametrize("number", [1.5, "2", None, True, -1, 2**64, np.float64(3)])
def test_whole_numbers_are_whole(number: object) -> None:
    upscaler = Upscaler.from_bundle(GOLDEN)
    with pytest.raises(OptionError, match=r"seed is .* must be a whole number from 0 to 2"):
        upscaler.upscale(PIXELS, seed=number, steps=1)  # type: ignore[arg-type]
    if number is not None:
        with pytest.raises(OptionError, match="steps"):
            upscaler.upscale(PIXELS, steps=number)  # type: ignore[arg-type]
        with pytest.raises(OptionError, match=r"threads is .* from 1 to 1024"):
            Upscaler.from_bundle(GOLDEN, threads=number)  # type: ignore[arg-type]
        with pytest.raises(OptionError, match="overlap"):
            Upscaler.from_bundle(GOLDEN, overlap=number)  # type: ignore[arg-type]


def test_numpys_whole_numbers_are_taken() -> None:
    upscaler = Upscaler.from_bundle(GOLDEN, threads=np.int64(1), tile=np.int32(64), overlap=np.uint8(8))
    found = upscaler.upscale(PIXELS, seed=np.uint64(7), steps=np.int16(2))
    assert (found == upscaler.upscale(PIXELS, seed=7, steps=2)).all()
