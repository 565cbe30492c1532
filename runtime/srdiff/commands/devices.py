"""``--list-devices``: what runs on this machine, and why the rest does not."""

from __future__ import annotations

import click

from ..engines import try_devices
from ..engines.ascend import ascend_facts


def print_devices(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    """Print every engine and device with what comes of opening it, what an Ascend host says of itself, and leave."""
    if asked and not ctx.resilient_parsing:
        for engine, device, result in try_devices():
            click.echo(f"{engine:<14}  {device:<6}  {result}")
        for name, value in ascend_facts().items():
            click.echo(f"Ascend: {name} {value}")
        ctx.exit()
