"""Whatever is refused, the folder of its result is not made."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from srdiff.commands.run import main as srdiff_run
from srdiff.commands.video import main as srdiff_video


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (srdiff_run, ["missing.png", "-o", "new/deeper/out.png"]),
        (srdiff_run, ["damaged.png", "-o", "new/deeper/out.png"]),
        (srdiff_run, ["damaged.png", "-o", "new/deeper/out.png", "--model", "nosuch"]),
        (srdiff_video, ["damaged.gif", "new/out.gif"]),
    ],
)
def test_no_folder_is_left(
    command: click.Command, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("damaged.png", "damaged.gif"):
        Path(name).write_bytes(b"damaged")
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 2 and "unexpected" not in result.output, result.output
    assert not Path("new").exists()
