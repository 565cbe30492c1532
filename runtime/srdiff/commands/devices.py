"""Options that choose an engine: ``--list-devices`` and ``--engine-option``."""

from __future__ import annotations

import click

from ..engines import try_devices
from ..engines.ascend import ascend_facts
from ..errors import OptionError
from .saying import tell


def print_devices(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    """Print every engine and device with what comes of opening it, what an Ascend host says of itself, and leave."""
    if asked and not ctx.resilient_parsing:
        for engine, device, result in try_devices():
            tell(f"{engine:<14}  {device:<6}  {result}")
        for name, value in ascend_facts().items():
            tell(f"Ascend: {name} {value}")
        ctx.exit()


def engine_option(text: str) -> tuple[str, str]:
    """``KEY=VALUE`` as a pair."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise OptionError(f"--engine-option {text!r} is no setting; write it as KEY=VALUE, like device_id=1")
    return name, value
