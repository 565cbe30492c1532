"""What a file is called does nothing to a terminal, and makes no line of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srdiff.commands.command import table
from srdiff.commands.saying import say, tell, visible

from .in_process import picture


@given(st.text())
def test_no_control_character_is_left_and_nothing_else_changes(text: str) -> None:
    shown = visible(text)
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in shown)
    assert shown == text or any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in text)


def test_what_is_said_has_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b]0;title\x07b\nforged")
    tell("c\rd", *table(["name"], [["e\nf"]]).split("\n"))
    out, err = capsys.readouterr()
    assert err == "a\\x1b]0;title\\x07b\\x0aforged\n" and out == "c\\x0dd\nname\ne\\x0af\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_picture_of_any_name(srdiff_run, tmp_path: Path) -> None:
    name = "p\x1b]0;HACK\x07\nforged.png"
    picture(tmp_path / "in" / name)
    for words in (["--dry-run"], [], []):
        said = srdiff_run("in", "-o", "out", *words).output
        assert "\x1b" not in said and "\x07" not in said and "\nforged" not in said
    assert (tmp_path / "out" / name).exists()
