"""A batch that is run again: what is said of other settings."""

from __future__ import annotations

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
