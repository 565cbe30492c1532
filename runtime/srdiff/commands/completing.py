"""What TAB offers for values that click knows nothing of; for ``shell_complete=``."""

from __future__ import annotations

from contextlib import suppress
from typing import Iterable

import click
from click.shell_completion import CompletionItem

from ..bundle import Bundle
from ..engines import DEVICES
from ..errors import SRDiffError
from ..model_names import MANY_STEPS, added, built_in, bundle_folder


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and folders, by the shell itself."""
    return [CompletionItem(incomplete, type="file")]


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Models by name, and folders."""
    # The folders come first: what stands before them is forgotten by bash.
    return [CompletionItem(incomplete, type="dir"), *_beginning(incomplete, {**added(), **built_in()})]


def added_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Models that can be removed."""
    return _beginning(incomplete, added())


def presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Of the model that was named before; a student has none."""
    with suppress(SRDiffError):
        manifest = Bundle(bundle_folder(ctx.params.get("model") or MANY_STEPS)).manifest
        return _beginning(incomplete, () if manifest.student_steps else manifest.presets)
    return []


def devices(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The kinds of them."""
    return _beginning(incomplete, ("auto", *DEVICES))


def _beginning(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
