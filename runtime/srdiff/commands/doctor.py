"""``srdiff-doctor``: what this machine's engines really compute, from a shell."""

from __future__ import annotations

import json
import sys

import click

from ..doctor.examination import examine
from ..doctor.golden import Recorded, golden_bundle
from ..doctor.report import as_data, as_text, machine_facts
from .command import Command, table
from .saying import tell


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, for a bug report.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: the engine's]")
def main(as_json: bool, threads: int | None) -> None:
    """Examine what this machine's engines compute.

    A small network with known steps runs through every engine, device and precision that opens. Exit code 1 when what
    ran is not as it should be.
    """
    findings = examine(golden_bundle(), Recorded.read(), threads)
    facts = machine_facts()
    if as_json:
        tell(*json.dumps(as_data(facts, findings), indent=1).split("\n"))
    else:
        tell(*as_text(facts, findings, table).split("\n"))
    if any(finding.is_wrong for finding in findings):
        sys.exit(1)


if __name__ == "__main__":
    main()
