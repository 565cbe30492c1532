"""Translated pages keep step with their originals: headings, commands, options, numbers, tests named."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRANSLATED = sorted([*ROOT.glob("*.zh.md"), *(ROOT / "docs").glob("*.zh.md")])


def outline(page: str) -> list[int]:
    """Levels of its headings."""
    return [len(marks) for marks in re.findall(r"^(#+) ", page, re.MULTILINE)]


def commands(page: str) -> list[str]:
    """Code lines without their comments, as those are translated."""
    lines = re.findall(r"^ {4,}(\S.*)$|^(pip .*|srdiff-.*)$", page, re.MULTILINE)
    found = [(indented or plain).partition(" #")[0].strip() for indented, plain in lines]
    return [line for line in found if re.match(r"(pip|srdiff-|make|cat|curl|source|docker|python|--|-v) ?", line)]


def facts(page: str) -> Counter[str]:
    """What must not change with the language: inline code, and the number of rows of all tables."""
    page = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    page = re.sub(r"^    .*$", "", page, flags=re.MULTILINE)  # commands are compared by themselves
    code = Counter(re.sub(r"\s+", " ", text) for text in re.findall(r"`([^`]+)`", page))
    code["rows"] = len(re.findall(r"^\|", page, re.MULTILINE))
    return code


def test_the_pages_are_there() -> None:
    assert [page.name for page in TRANSLATED] == ["README.zh.md", "ascend.zh.md", "enlarge.zh.md"]


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.name)
def test_a_translation_says_the_same(page: Path) -> None:
    original = page.with_name(page.name.replace(".zh", "")).read_text(encoding="utf-8")
    translated = page.read_text(encoding="utf-8")
    assert outline(translated) == outline(original)
    assert commands(translated) == commands(original)
    theirs, ours = facts(original), facts(translated)
    assert ours == theirs, f"missing {theirs - ours}, too many {ours - theirs}"
    characters = len(re.findall(r"[\u4e00-\u9fff]", translated))
    assert characters > 0.9 * len(re.findall(r"[A-Za-z]{2,}", re.sub(r"^    .*$", "", original, flags=re.MULTILINE)))
