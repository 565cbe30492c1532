"""``srdiff-train``: photos become a checkpoint."""

from __future__ import annotations

import click

from srdiff.commands.command import Command
from srdiff.commands.completing import files
from srdiff.commands.saying import Report, say
from srdiff.mindspore_log import keep_quiet

from .packages import brought_by


@click.command(cls=Command)
@click.argument("stage", type=click.Choice(["rrdb", "srdiff", "distil"]))
@click.option(
    "--config",
    required=True,
    metavar="FILE|card|small",
    shell_complete=files,
    help="YAML file, or one that comes with this package: the model card's settings, or a small model for a CPU.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting; repeatable. network.KEY is a size. Words are taken as typed, quotes and "
    "all; KEY= clears one.",
)
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint in the output folder, if it has one.")
@click.pass_context
def main(ctx: click.Context, stage: str, config: str, changes: tuple[str, ...], resume: bool) -> None:
    """Train an SRDiff model, or a part of it.

    The encoder as a super-resolver (rrdb), the noise predictor (srdiff), a student of few steps (distil). The output
    folder gets checkpoints that srdiff-export takes, log.csv and log.png. Ctrl-C and SIGTERM save before they end the
    run.
    """
    keep_quiet()
    with brought_by("train"):
        from ..run.settings_file import load_settings
    settings = load_settings(stage, config, changes)
    with brought_by("train"):
        from ..run.train import train

    report = Report()
    outcome = train(settings, resume, report.tell)
    if outcome.signal is not None:
        say(f"Stopped by signal {outcome.signal}; saved {outcome.checkpoint}, --resume goes on")
        ctx.exit(128 + outcome.signal)
    report.tell(f"{outcome.step} steps done: {outcome.checkpoint}")
    report.end()


if __name__ == "__main__":
    main()
