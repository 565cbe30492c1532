"""Lines for people and programs, on streams that may be full or have nobody at the other end."""

from __future__ import annotations

import re
from contextlib import suppress

import click

from ..atomic_files import cannot_write
from ..errors import OutputError
from ..standard_streams import silence_output


def visible(text: str) -> str:
    """With control characters, line breaks included, as ``\\x1b``: what a file is called orders no terminal about, and
    makes no line of its own.
    """
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found.group()):02x}", text)


def say(line: str) -> None:
    """On standard error; what cannot be said there is lost, and costs nothing else."""
    with suppress(OSError):
        click.echo(visible(line), err=True)


def tell(*lines: str) -> None:
    """On standard output; none where it was closed from the start.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        click.echo("\n".join(map(visible, lines)))
    except OSError as error:
        silence_output()
        raise cannot_write("standard output", error) from error


class Report:
    """Lines on standard output about work that counts for more than they do: the first that cannot be written is the
    last, and :meth:`end` says so."""

    def __init__(self) -> None:
        self._lost: OutputError | None = None

    def tell(self, line: str) -> None:
        if self._lost is None:
            try:
                tell(line)
            except OutputError as error:
                self._lost = error

    def end(self) -> None:
        """Raises the OutputError of a line that was lost."""
        if self._lost is not None:
            raise self._lost
