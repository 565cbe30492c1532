"""How the commands end: one sentence and an exit code, a traceback only on request."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterable, Iterator

import click

from ..errors import SRDiffError, one_line
from ..looking import is_there
from ..standard_streams import occupy_closed
from ..starting import imported
from .interruption import INTERRUPTED, interrupted_by_termination
from .saying import say, visible
from .version import version_option

# What all commands' help has in common.
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_DEBUG = "srdiff.debug"
_WORDS = "srdiff.words"
_FILE = r"\S*[/\\]\S*|\S+\.\w+"


class OneSentence(click.Command):
    """Its failures are one sentence on standard error.

    Exit codes: 2 for bad input or options, 1 for a failure of the program's own, 130 when interrupted, 128 and the
    signal's number when terminated.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        imported()
        occupy_closed()
        return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = tuple(args)
        with self._failing(ctx):
            try:
                return super().parse_args(ctx, args)
            except click.NoSuchOption as error:
                files = [word for word in ctx.meta[_WORDS] if word.startswith("-") and is_there(word)]
                if not files:
                    raise
                raise click.UsageError(
                    f"{error.message.rstrip('.')}; for the file of that name write ./{visible(files[0])}", ctx
                ) from error

    def invoke(self, ctx: click.Context) -> Any:
        with self._failing(ctx), interrupted_by_termination():
            return super().invoke(ctx)

    @contextmanager
    def _failing(self, ctx: click.Context) -> Iterator[None]:
        try:
            yield
        except (click.ClickException, click.exceptions.Exit):
            raise
        except KeyboardInterrupt as interruption:
            say("Interrupted.")
            ctx.exit(getattr(interruption, "exit_code", INTERRUPTED))
        except Exception as error:
            if ctx.meta.get(_DEBUG):
                raise
            say_error(error)
            ctx.exit(error.exit_code if isinstance(error, SRDiffError) else 1)

    def typed(self, sentence: str, words: tuple[str, ...]) -> str:
        """A library's sentence with its arguments as they are typed: ``max_pixels``, ``samples=8`` and
        ``resume=True`` are its words, outside of files' names.
        """
        pieces, names = apart(sentence, words)
        made = [part for pair in zip(map(self._spelled, pieces), [*names, ""]) for part in pair]
        return "".join(made)

    def _spelled(self, sentence: str) -> str:
        for param in self.params:
            if isinstance(param, click.Option) and param.name is not None:
                option = max(param.opts, key=len)
                if param.is_flag:
                    sentence = re.sub(rf"(?<![\w-]){param.name}=True(?!\w)", option, sentence)
                if "_" in param.name:
                    sentence = re.sub(rf"(?<![\w-]){param.name}(?![\w=])", option, sentence)
                sentence = re.sub(rf"(?<![\w-]){param.name}=(?=\w)", f"{option} ", sentence)
        return sentence


class Command(OneSentence):
    """A click command with ``-h``, ``--version`` and ``--debug``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["context_settings"] = {**CONTEXT, **(kwargs.get("context_settings") or {})}
        super().__init__(*args, **kwargs)
        self.params.append(version_option())
        self.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                callback=_keep,
                help="Show a traceback when something fails.",
            )
        )


def say_error(error: Exception) -> None:
    """Say it as the command that is running is typed."""
    sentence, ctx = _sentence(error), click.get_current_context(silent=True)
    if ctx is not None and isinstance(ctx.command, OneSentence):
        sentence = ctx.command.typed(sentence, ctx.meta.get(_WORDS, ()))
    say(f"Error: {sentence}")


def apart(sentence: str, words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """A sentence without the names of files in it, and those that lay between: what was typed, whatever lies within it,
    and what looks like a file's name.
    """
    given = {*words, *(word.partition("=")[2] for word in words)}
    typed = sorted({name for word in given for name in (word, str(Path(word)))} - {"", "."}, key=len, reverse=True)
    any_of = "|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in typed)
    pieces, names, begin = [], [], 0
    for match in re.finditer((any_of + "|" if any_of else "") + _FILE, sentence):
        if match.start() >= begin:
            ends = range(len(sentence), match.end(), -1)
            end = next((end for end in ends if is_there(sentence[match.start() : end])), match.end())
            pieces.append(sentence[begin : match.start()])
            names.append(sentence[match.start() : end])
            begin = end
    return [*pieces, sentence[begin:]], names


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Columns as wide as their widest cell, without rules."""
    cells = [head, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip() for row in cells)


def _keep(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[_DEBUG] = value


def _sentence(error: Exception) -> str:
    if isinstance(error, SRDiffError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; close other programs, or ask for a smaller tile or image"
    return f"unexpected {type(error).__name__}: {one_line(error)}; run again with --debug and report the traceback"
