"""Lines for people and programs, on streams that may be full or have nobody at the other end."""

from __future__ import annotations

from contextlib import suppress

import click

from ..atomic_files import cannot_write
from ..errors import OutputError
from ..standard_streams import silence_output


def say(line: str) -> None:
    """On standard error; what cannot be said there is lost, and costs nothing else."""
    with suppress(OSError):
        click.echo(line, err=True)


def tell(line: str) -> None:
    """On standard output; none where it was closed from the start.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        click.echo(line)
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
