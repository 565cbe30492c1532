"""A batch that is run again: what is read, and what is said of other settings."""

from __future__ import annotations

import os

import pytest

from srdiff import OutputError
from srdiff.batch import ticket
from srdiff.batch.ledger import Ledger, ledger_in
from srdiff.batch.pins import _models, differences, fingerprint

from .in_process import picture


def test_settings_that_are_equal_are_not_told(srdiff_run, tmp_path):
    """Though their numbers are written another way."""
    picture(tmp_path / "in" / "p.png")
    words = ("in", "-o", "out", "--sampler", "ddim", "--eta")
    srdiff_run(*words, 0)
    file = ledger_in(tmp_path / "out")
    [pins] = Ledger(file).own_pins
    whole = {**pins, "sampler": {**pins["sampler"], "eta": 0}}
    lines = file.read_bytes().replace(b'"eta": 0.0', b'"eta": 0')
    file.write_bytes(lines.replace(fingerprint(pins).encode(), fingerprint(whole).encode()))
    assert Ledger(file).own_pins == [whole] and fingerprint(whole) != fingerprint(pins)
    assert "p.png exists; skipped" in srdiff_run(*words, 0).output
    assert "p.png exists, made with eta 0 for 0.5; skipped" in srdiff_run(*words, 0.5).output


def test_a_built_in_model_that_is_damaged_only_lacks_its_name(tmp_path, monkeypatch):
    (tmp_path / "damaged.srdiff").mkdir()
    monkeypatch.setattr("srdiff.model_names.FOLDER", tmp_path)
    _models.cache_clear()
    assert differences({"bundle": "0" * 64}, {"bundle": "1" * 64}) == "bundle 000000000000 for 111111111111"
    _models.cache_clear()


@pytest.mark.parametrize("samples", [[], ["--samples", 2]])
def test_inputs_that_moved_are_read_once(srdiff_run, tmp_path, monkeypatch, samples):
    """And those of another time: what they are by now is in the ledger, where that can be written."""
    picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "b.png", 1)
    run = ("-o", "out", *samples)
    srdiff_run("in", *run)
    (tmp_path / "in").rename(tmp_path / "moved")
    os.utime(str(tmp_path / "moved" / "b.png"), (7, 7))
    read, holds = [], ticket.holds
    monkeypatch.setattr(ticket, "holds", lambda path, file: read.append(path.name) or holds(path, file))

    def refuse(*_: object) -> None:
        raise OutputError("it cannot be written")

    with monkeypatch.context() as patched:
        patched.setattr("srdiff.batch.lines.Pen.write", refuse)
        assert "0 enlarged, 2 skipped" in srdiff_run("moved", *run).output
    for times in (2, 0, 0):
        read.clear()
        assert "0 enlarged, 2 skipped" in srdiff_run("moved", *run).output and len(set(read)) == times
    assert "2 verified" in srdiff_run("moved", *run, "--verify").output
    picture(tmp_path / "other" / "a.png", 2)
    said = srdiff_run("other", *run, code=2).output
    assert f"was made of {tmp_path}/moved/a.png and is kept" in said


def test_a_copy_does_not_take_a_result_from_its_original(srdiff_run, tmp_path):
    for folder in ("in", "copies"):
        picture(tmp_path / folder / "a.png")
    for folder in ("in", "copies", "in", "copies"):
        srdiff_run(folder, "-o", "out")
    picture(tmp_path / "in" / "a.png", 1)
    assert "out/a.png: 40x32" in srdiff_run("in", "-o", "out").output
