"""``--version``: this project's and those of the packages that decide on a result."""

from __future__ import annotations

import platform
import sys

import click

from .. import __version__
from .saying import tell

# Engines and the like by their names on the package index; onnxruntime has one for each kind of device.
PACKAGES = (
    "numpy",
    "pillow",
    "openvino",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-cann",
    "mindspore-lite",
    "mindspore",
    "av",
)


def versions() -> str:
    """One line each, of what is installed; nothing is imported for it."""
    # Here, as the import takes a sixth of the time that a command's own takes.
    if sys.version_info >= (3, 8):
        from importlib.metadata import PackageNotFoundError, version
    else:  # click brings it
        from importlib_metadata import PackageNotFoundError, version

    lines = [f"srdiff {__version__}", f"python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return "\n".join(lines)


def version_option() -> click.Option:
    """Says all versions and ends."""

    def shown(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            tell(*versions().split("\n"))
            ctx.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=shown,
        help="Show the versions of srdiff and of the packages that it runs on, and exit.",
    )
