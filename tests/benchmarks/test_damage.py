"""The table of damage: what is nothing in the truth, and what bicubic leaves of each kind."""

from __future__ import annotations

import json
from pathlib import Path

import damage
import numpy as np
import pytest
from click.testing import CliRunner

from srdiff.doctor.golden import GOLDEN
from srdiff.resize import bicubic


def enlarge(small: np.ndarray) -> np.ndarray:
    return bicubic(small, 4 * small.shape[0], 4 * small.shape[1])


def test_blocks_are_counted_and_the_photos_own_edges_are_not() -> None:
    fine, middle, coarse = (damage.blocks(quality, enlarge) for quality in (95, 50, 10))
    assert abs(fine) < 0.2 < middle < coarse
    tiles = np.kron(np.indices((9, 9)).sum(axis=0) % 2, np.ones((32, 32)))
    assert damage.excess(np.repeat((10 * tiles)[..., None], 3, axis=2)) == pytest.approx(10)


def test_what_is_smooth_has_none_of_it() -> None:
    """A way that knows the truth leaves nothing."""
    flat = np.full((4 * damage.SIDE, 4 * damage.SIDE, 3), 128, np.uint8)
    assert damage.noise(20, lambda small: flat) == 0
    assert damage.excess(flat) == 0
    # Bicubic averages neighbours: less than the input's noise, more than a third of it.
    assert 20 / 3 < damage.noise(20, enlarge) < 20
    assert damage.ripples(25, enlarge) > damage.ripples(90, enlarge)
    assert damage.sky(25, enlarge) > damage.sky(95, enlarge)


@pytest.mark.slow
def test_a_table_of_a_tiny_model(tmp_path: Path) -> None:
    page, file = tmp_path / "page.md", tmp_path / "damage.json"
    page.write_text("<!-- damage -->\n<!-- /damage -->\n")
    model = str(GOLDEN / "golden.srdiff")
    words = ["--model", model, "--insert", str(page), "--json", str(file)]
    result = CliRunner().invoke(damage.main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = json.loads(file.read_text())["rows"]
    assert [row["damage"] for row in rows] == list(damage.MEASURES)
    assert all(set(row["left"]) == {"bicubic", model} and min(row["left"].values()) > 0 for row in rows)
    assert all(f"| {row['damage']} | {row['left']['bicubic']:.2f} |" in page.read_text() for row in rows)
