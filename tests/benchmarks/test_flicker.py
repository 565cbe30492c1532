"""The table of flicker on a tiny model: what must be nothing is, and what the noise changes is not."""

from __future__ import annotations

from pathlib import Path

import flicker
import numpy as np
from click.testing import CliRunner

from srdiff.doctor.golden import GOLDEN


def test_the_same_noise_changes_nothing_that_stands_still(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- flicker -->\n<!-- /flicker -->\n")
    words = ["--model", str(GOLDEN / "golden.srdiff"), "--size", "32", "--insert", str(page)]
    result = CliRunner().invoke(flicker.main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = [[cell.strip() for cell in line.split("|")[2:-1]] for line in page.read_text().splitlines() if "| " in line]
    found = {noise: list(map(float, cells)) for noise, *cells in rows[2:]}
    assert found["none"][0] == found["none"][2] == 0 < found["none"][1]
    assert found[flicker.SAME][0] == found[flicker.MOVING][0] == 0 < found[flicker.FRESH][0]


def test_a_motion_that_is_followed_is_no_flicker() -> None:
    """The true frames themselves."""
    truth = {}

    def enlarge(small: np.ndarray, number: int, shift: int) -> np.ndarray:
        return truth["photo"][20 : 20 + 128, shift : shift + 128]

    for name in flicker.PHOTOS:
        truth["photo"] = getattr(flicker.skimage.data, name)()
        for step in flicker.MOTIONS:
            assert flicker.flicker(enlarge, name, 32, 3, step) == 0
