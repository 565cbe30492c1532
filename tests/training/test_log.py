"""A run's log: what it goes on from, and that its plot ends no run."""

from __future__ import annotations

from pathlib import Path

import pytest

from srdiff_training.run.log import COLUMNS, LOG_NAME, PLOT_NAME, Log

VALUES = {
    "loss": 0.25,
    "gradient_norm": float("inf"),
    "learning_rate": 1.2e-4,
    "images_per_second": 3.5,
    "psnr_y": 28.125,
}


def written(folder: Path, steps: int = 3) -> Path:
    log = Log(folder, 0)
    for step in range(1, steps + 1):
        log.add(step=step, **VALUES)
    return folder / LOG_NAME


def test_a_log_goes_on_wherever_it_was_cut(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    expected = Log(tmp_path, 3).rows
    assert len(expected) == 3
    last = whole.rindex(b"\n", 0, -1)
    for end in range(last, len(whole) - 2):  # within the last row
        path.write_bytes(whole[:end])
        log = Log(tmp_path, 3)
        assert log.rows[:2] == expected[:2]
        assert all(set(row) == set(COLUMNS) for row in log.rows)
        log._plot()


@pytest.mark.parametrize("row", ["²,1,1,1,1,,", "3,x,1,1,1,,", "3.5,1,1,1,1,,", ",1,1,1,1,,", "3,1"])
def test_a_row_of_anything_else_than_numbers_is_left_out(tmp_path: Path, row: str) -> None:
    path = written(tmp_path, 2)
    path.write_text(path.read_text() + row + "\n")
    log = Log(tmp_path, 9)
    assert [kept["step"] for kept in log.rows] == ["1", "2"]
    log._plot()


def test_a_plot_that_fails_ends_no_run(tmp_path: Path) -> None:
    log = Log(tmp_path, 0)
    (tmp_path / PLOT_NAME).mkdir()
    log.add(step=1, **VALUES)
    log.plot()
    assert (tmp_path / PLOT_NAME).is_dir()
