"""``python -m srdiff`` is ``srdiff-run``."""

from __future__ import annotations

from .commands.run import main

main(prog_name="python -m srdiff")
