"""Whatever is refused, the folder of its result is not made."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from srdiff import ImageError
from srdiff.commands.run import main as srdiff_run
from srdiff.commands.serve import main as srdiff_serve
from srdiff.commands.video import main as srdiff_video
from srdiff.photo.read import read_photo

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
    ("command", "words", "what"),
    [
        (srdiff_run, ["NAME"], "an input"),
        (srdiff_run, ["in.png", "NAME", "-o", "out/"], "an input"),
        (srdiff_run, ["in.png", "-o", "NAME"], "output"),
        (srdiff_run, ["in.png", "--ledger", "NAME"], "'--ledger': it"),
        (srdiff_video, ["NAME", "out.mp4"], "'INPUT': it"),
        (srdiff_video, ["in.mp4", "NAME"], "'OUTPUT': it"),
        (srdiff_serve, ["--token-file", "NAME"], "'--token-file': it"),
    ],
)
def test_no_empty_word_and_no_url_is_taken_for_a_folder(
    command: click.Command, words: list[str], what: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an unset variable is: it would be the current folder."""
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "in.png")
    result = CliRunner().invoke(command, [name if word == "NAME" else word for word in words])
    assert result.exit_code == 2 and (f"{name} is a URL" if name else f"{what} is empty; name a file") in result.output
    assert "name a file\n" in result.output or "--ledger" not in words
    assert names(tmp_path) == {"in.png"}


def test_no_empty_word_is_taken_for_a_model() -> None:
    result = CliRunner().invoke(srdiff_run, ["in.png", "--model", ""])
    assert result.exit_code == 2 and "Error: model is empty; give one of " in result.output


def test_a_file_that_looks_like_an_option_is_told_how_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "-dash.png")
    assert "; for the file of that name write ./-dash.png" in CliRunner().invoke(srdiff_run, ["-dash.png"]).output
    assert "for the file" not in CliRunner().invoke(srdiff_run, ["-nosuch.png"]).output


@pytest.mark.parametrize("words", [["-o", "out.png"], ["--format", "tiff"], []])
def test_a_quality_that_no_result_has(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "in.png")
    result = CliRunner().invoke(srdiff_run, ["in.png", "--quality", "50", *words])
    assert result.exit_code == 2 and "quality is of jpg and webp" in result.output and names(tmp_path) == {"in.png"}


def test_a_chunk_is_told_by_its_name(tmp_path: Path) -> None:
    whole = picture(tmp_path / "in.png")
    for data, words in (
        (whole[:-20], "within its IDAT chunk"),
        (whole[:-18] + b"...." + whole[-14:], "in its IDAT chunk"),
    ):
        (tmp_path / "in.png").write_bytes(data)
        with pytest.raises(ImageError, match=words):
            read_photo(tmp_path / "in.png")
