"""Paths as they are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import OptionError
from ..jobs.sources import require_path


class FilePath(click.Path):
    """A file or folder as a Path, which would take an empty word for the current folder, and a URL for a folder."""

    def __init__(self, dir_okay: bool = True) -> None:
        super().__init__(dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            require_path("it", value, "a file or a folder" if self.dir_okay else "a file")
        except OptionError as error:
            self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)
