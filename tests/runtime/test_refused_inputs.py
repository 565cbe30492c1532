"""Whatever is refused, the folder of its result is not made."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from srdiff.commands.run import main as srdiff_run
from srdiff.commands.serve import main as srdiff_serve
from srdiff.commands.video import main as srdiff_video

from .in_process import names, picture


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


@pytest.mark.parametrize(
    ("command", "words"), [(srdiff_run, ["in.png", "-o", "there.png"]), (srdiff_video, ["in.gif", "there.gif"])]
)
def test_an_input_that_is_not_there_is_no_finished_one(
    command: click.Command, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(words[-1]).write_bytes(b"made of another one")
    result = CliRunner().invoke(command, words)
    assert (
        result.exit_code == 2 and words[0] in result.output and "exists" not in result.output.replace("not exist", "")
    )
    assert Path(words[-1]).read_bytes() == b"made of another one"


@pytest.mark.parametrize("name", ["", "https://example.com/a.png", "s3://bucket/a"])
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (srdiff_run, ["NAME"]),
        (srdiff_run, ["in.png", "NAME", "-o", "out/"]),
        (srdiff_run, ["in.png", "-o", "NAME"]),
        (srdiff_run, ["in.png", "--ledger", "NAME"]),
        (srdiff_video, ["NAME", "out.mp4"]),
        (srdiff_video, ["in.mp4", "NAME"]),
        (srdiff_serve, ["--token-file", "NAME"]),
    ],
)
def test_no_empty_word_and_no_url_is_taken_for_a_folder(
    command: click.Command, words: list[str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an unset variable is: it would be the current folder."""
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "in.png")
    result = CliRunner().invoke(command, [name if word == "NAME" else word for word in words])
    assert result.exit_code == 2 and (f"{name} is a URL" if name else "is empty; name a file") in result.output
    assert names(tmp_path) == {"in.png"}
