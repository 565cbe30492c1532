"""Whatever is refused, the folder of its result is not made."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from srdiff_training.commands.evaluate import main as srdiff_eval
from srdiff_training.commands.preprocess import main as srdiff_preprocess
from srdiff_training.commands.train import main as srdiff_train

from .training_runs import SIZES

TINY = [word for size, value in SIZES.items() for word in ("--set", f"network.{size}={value}")]
TRAIN = ["rrdb", "--config", "small", *TINY, "--set", "output=new/run", "--set"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (srdiff_train, [*TRAIN, "data=missing"]),
        (srdiff_train, [*TRAIN, "data=photos"]),
        (srdiff_train, [*TRAIN, "data=photos", "--set", "val=missing"]),
        (srdiff_train, [*TRAIN, "data=photos", "--set", "init_from=damaged.png"]),
        (srdiff_train, [*TRAIN, "data=photos", "--set", "nosuch=1"]),
        (srdiff_preprocess, ["--root", "missing", "--dataset", "folder", "--output", "new"]),
        (srdiff_eval, ["--ckpt", "damaged.png", "--data", "photos", "--json", "new/scores.json"]),
    ],
    ids=["data", "damaged", "val", "init_from", "setting", "preprocess", "eval"],
)
def test_no_folder_is_left(
    command: click.Command, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name in ("damaged.png", "photos/damaged.png"):
        Path(name).write_bytes(b"damaged")
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 2 and "unexpected" not in result.output, result.output
    assert not Path("new").exists()
