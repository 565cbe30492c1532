"""A command whose extra is not installed names it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .test_public_names import ROOT

CHECKPOINT = ROOT / "tests" / "data" / "mindediting_tiny.ckpt"


EXPORT = ("srdiff_export.command", ["--ckpt", CHECKPOINT, "-o", "out.srdiff"], "export")
TRAIN = (
    "srdiff_training.commands.train",
    ["rrdb", "--config", "small", "--set", "data=.", "--set", "output=out"],
    "train",
)
EVALUATE = ("srdiff_training.commands.evaluate", ["--ckpt", CHECKPOINT, "--data", "."], "train")


@pytest.mark.parametrize(
    ("missing", "command"),
    [("mindspore", EXPORT), ("yaml", TRAIN), ("mindspore", TRAIN), ("skimage", EVALUATE), ("mindspore", EVALUATE)],
)
def test_the_extra_is_named(missing: str, command: tuple[str, list[object], str], tmp_path: Path) -> None:
    module, words, extra = command
    code = f"import sys; sys.modules[{missing!r}] = None; from {module} import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=120, cwd=str(tmp_path)
    )
    assert result.returncode == 2 and f"pip install 'srdiff[{extra}]'" in result.stderr
    assert missing in result.stderr and "unexpected" not in result.stderr
