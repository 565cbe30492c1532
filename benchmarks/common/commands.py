"""What the commands of the benchmarks share: options that put their table into a file, and where reports go."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any, Callable

import click

from common.tables import insert
from srdiff.atomic_files import atomic_file, make_folder
from srdiff.model_names import MANY_STEPS, bundle_folder

Decorated = Callable[..., Any]


def bundle_option(command: Decorated) -> Decorated:
    """``--bundle``; see :func:`measured_bundle`."""
    path = click.Path(path_type=Path)
    return click.option("--bundle", type=path, help=f"Model.  [default: {MANY_STEPS}]")(command)


def measured_bundle(bundle: Path | None) -> Path:
    """The folder that ``--bundle`` means; None is the built-in one of many steps, which has samplers to compare."""
    return bundle_folder(MANY_STEPS if bundle is None else bundle)


def insert_options(mark: str) -> Callable[[Decorated], Decorated]:
    """``--insert`` and ``--mark``, as ``insert_file`` and ``mark``."""

    def decorate(command: Decorated) -> Decorated:
        marked = click.option(
            "--mark",
            default=mark,
            show_default=True,
            help="Name of those marks: <!-- NAME --> and <!-- /NAME -->.",
        )
        insert = click.option(
            "--insert",
            "insert_file",
            type=click.Path(path_type=Path),
            help="Also put the Markdown between two marks of this file.",
        )
        return insert(marked(command))

    return decorate


def typed_command(script: str) -> str:
    """The command as it was typed."""
    return " ".join(shlex.quote(word) for word in ["python", f"benchmarks/{script}", *sys.argv[1:]])


def under(command: str, text: str) -> str:
    """What was measured, under the command that measures it."""
    return f"```\n{command}\n```\n\n{text}\n"


def show(markdown: str, insert_file: Path | None, mark: str) -> None:
    """Print it, and put it where ``--insert`` says."""
    click.echo(markdown)
    if insert_file is not None:
        insert(markdown, insert_file, mark)


def write_text(file: Path, text: str) -> None:
    make_folder(file)
    with atomic_file(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(file: Path, document: dict[str, Any]) -> None:
    write_text(file, json.dumps(document, indent=1) + "\n")
