"""The peers compute the same network, in processes of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="pip install 'srdiff[bench]'")

from racing import torch_peer
from racing.peers import check_peer, open_peer
from racing.processes import ProcessError, Remote

from srdiff.bundle import Bundle
from srdiff.engines import open_engine
from srdiff.errors import DeviceError, ParityError
from srdiff.upscaler import Upscaler

from .golden_bundle import GOLDEN


@pytest.mark.parametrize(("name", "precision"), [("torch", "fp32"), ("torch", "bf16"), ("upstream-graph", "fp32")])
def test_peers_compute_the_same_network(bundle: Path, name: str, precision: str) -> None:
    pytest.importorskip("torch" if name == "torch" else "onnxruntime")
    peer = open_peer(name, precision, 1, Bundle(bundle))
    check_peer(Bundle(bundle), open_engine("auto", "cpu", "fp32", 1, formats=("onnx",)), peer)


@pytest.mark.parametrize("name", ["torch", "upstream-graph"])
def test_peers_make_the_same_image(bundle: Path, name: str) -> None:
    """Through the whole sampler, in windows: with each its own cond."""
    pytest.importorskip("torch" if name == "torch" else "onnxruntime")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 36, 3)).astype(np.uint8)
    engines = [open_engine("auto", "cpu", "fp32", 1, formats=("onnx",)), open_peer(name, "fp32", 1, Bundle(bundle))]
    ours, theirs = (
        Upscaler(Bundle(bundle), engine, tile=24, overlap=8).upscale(pixels, steps=4).astype(int) for engine in engines
    )
    assert np.abs(ours - theirs).max() <= 1  # rounded to 8 bits at the end


def test_another_network_is_no_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    tensors = torch_peer.checkpoint_tensors
    monkeypatch.setattr(
        torch_peer, "checkpoint_tensors", lambda *args: [(n, a * np.float32(1.001)) for n, a in tensors(*args)]
    )
    bundle = Bundle(GOLDEN)
    with pytest.raises(ParityError, match="two networks"):
        check_peer(
            bundle, open_engine("auto", "cpu", "fp32", 1, formats=("onnx",)), open_peer("torch", "fp32", 1, bundle)
        )


class Talker:
    def __init__(self, word: str) -> None:
        self.word = word

    def say(self, times: int) -> str:
        return self.word * times

    def refuse(self) -> None:
        raise DeviceError("no such device; take another")

    def stumble(self) -> None:
        raise ValueError("odd")

    def vanish(self) -> None:
        sys.exit(7)


def test_a_remote_object_answers_refuses_and_dies_in_words() -> None:
    with Remote("talker", Talker, "ho") as remote:
        assert remote.ask("say", 3) == "hohoho"
        with pytest.raises(DeviceError, match="take another"):
            remote.ask("refuse")
        with pytest.raises(ProcessError, match="ValueError"):
            remote.ask("stumble")
        assert remote.ask("say", 1) == "ho"
        with pytest.raises(ProcessError, match="talker ended with code 7"):
            remote.ask("vanish")
