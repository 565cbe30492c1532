"""Markdown tables, and the place in a file where they go."""

from __future__ import annotations

from pathlib import Path

from srdiff.atomic_files import atomic_file
from srdiff.errors import OptionError


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])


def count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def insert(text: str, file: Path, mark: str) -> None:
    """Put the Markdown between the lines ``<!-- mark -->`` and ``<!-- /mark -->`` of a file.

    Raises:
        OptionError: the file lacks them; it stays as it is.
    """
    before, after = around_marks(file, mark)
    with atomic_file(file) as temporary:
        temporary.write_text(f"{before}\n{text}{after}", encoding="utf-8")


def around_marks(file: Path, mark: str) -> tuple[str, str]:
    """A file's text up to and including the first mark, and from the last one on.

    Raises:
        OptionError: the file lacks them.
    """
    old = file.read_text(encoding="utf-8") if file.is_file() else ""
    first, last = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, begin, rest = old.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise OptionError(f"{file} lacks the lines {first} and {last} that the table goes between; add them")
    return before + first, last + after
