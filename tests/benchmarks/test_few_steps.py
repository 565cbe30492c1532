"""One step against ten, a hundred and Real-ESRGAN: who makes how many images, and what the table says of them."""

from __future__ import annotations

import json
from pathlib import Path

import few_steps
import pytest
from click.testing import CliRunner
from racing.few_steps_ways import ESRGAN, FULL, ONE, TEN, WAYS


def test_small_results_are_made_often_and_large_ones_once_and_all_steps_once_or_never() -> None:
    small = few_steps.turns(1024, 3, WAYS)
    assert [turn.counts for turn in small] == [False, True, True, True]
    assert [FULL in turn.ways for turn in small] == [False, True, False, False]
    assert all({*turn.ways, FULL} == {*WAYS} for turn in small)
    (large,) = few_steps.turns(4096, 3, WAYS)
    assert large.counts and large.ways == (ONE, TEN, ESRGAN)


def test_ratios_are_within_rounds() -> None:
    def made(one: float) -> dict[str, dict[str, float]]:
        seconds = {ONE: one, TEN: 6 * one, FULL: 50 * one, ESRGAN: 9 * one}
        return {way.name: {"seconds": value, "encoder": 0.4 * one} for way, value in seconds.items()}

    rounds = [{"side": 256, "made": made(one)} for one in (1.0, 2.0, 1.5)]  # of a machine that is busy now and then
    for turn in rounds[1:]:
        del turn["made"][FULL.name]
    fixed = {"command": "c", "cpu": "a CPU", "platform": "Linux", "engine": "e fp32", "versions": {}, "threads": 2}
    text = few_steps.markdown({**fixed, "rounds": rounds})
    assert "**256x256**" in text and "takes 40% of the one step's" in text
    assert f"| {TEN.name} | 3 | 9.00 | 6.00-12.0 | 6.0 |" in text
    assert f"| {FULL.name} | 1 | 50.0 | 50.0-50.0 | 50.0 |" in text
    assert f"| {ESRGAN.name} | 3 | 13.5 | 9.00-18.0 | 9.0 |" in text


@pytest.mark.slow
def test_from_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(few_steps, "WAYS", (ONE, TEN))
    page, file = tmp_path / "page.md", tmp_path / "few_steps.json"
    page.write_text("<!-- few_steps -->\n<!-- /few_steps -->\n")
    words = ["--side", "16", "--runs", "1", "--threads", "1", "--json", str(file), "--insert", str(page)]
    result = CliRunner().invoke(few_steps.main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    document = json.loads(file.read_text())
    (turn,) = document["rounds"]
    assert turn["side"] == 16 and set(turn["made"]) == {ONE.name, TEN.name}
    assert all(0 <= made["encoder"] < made["seconds"] for made in turn["made"].values())
    assert page.read_text() == f"<!-- few_steps -->\n{few_steps.markdown(document)}<!-- /few_steps -->\n"
