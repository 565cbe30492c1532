"""A short run of the mutated checkpoints, and proof that what they are made of is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("mindspore")
pytest.importorskip("torch")
pytest.importorskip("safetensors")

from . import checkpoints


def test_the_first_mutated_checkpoints_end_in_success_or_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    assert checkpoints.FUZZ.run(0, 60) == []
    assert capfd.readouterr().out.startswith("60 files ended")


def test_originals_are_read(tmp_path: Path) -> None:
    *networks, rrdb = checkpoints.states()
    for suffix, save in checkpoints.SAVED.items():
        path = tmp_path / f"model{suffix}"
        for arrays in networks:
            path.write_bytes(save(arrays))
            assert checkpoints.read_by_all(path, None) == ""
        path.write_bytes(save(rrdb))
        assert "is the RRDB encoder alone" in checkpoints.read_by_all(path, None)
