"""Whether what lies in a run's folder is of the run that goes on there."""

from __future__ import annotations

from pathlib import Path

import yaml

from srdiff.errors import OptionError, OutputError
from srdiff.looking import is_there

from .log import LOG_NAME, PLOT_NAME
from .settings_file import stored_settings
from .snapshot import BEST_NAME

SETTINGS_NAME = "settings.yaml"


def require_own(folder: Path, written: list[Path], stage: str, resume: bool) -> None:
    """OutputError where a file would be replaced that is not of the run that goes on here.

    Args:
        written: its numbered checkpoints, newest first.
    """
    names = (BEST_NAME, PLOT_NAME, LOG_NAME, SETTINGS_NAME)
    found = [path.name for path in written] or [name for name in names if is_there(folder / name)]
    if not found or (written and resume):
        return
    goes_on = bool(written) or _is_of_a_run(folder / SETTINGS_NAME, stage)
    if goes_on and resume and found[0] == BEST_NAME:
        raise OutputError(
            f"{folder / BEST_NAME} is there and no step_*.ckpt; copy it to step_1.ckpt to go on from it, or move it "
            "away to begin anew"
        )
    if not (goes_on and resume):
        way = "go on with resume=True" if goes_on else "move it away"
        raise OutputError(f"{folder} holds {found[0]} already; {way}, or choose another output")


def _is_of_a_run(path: Path, stage: str) -> bool:
    """Whether a run of the stage has written these settings: what a person writes names no stage."""
    try:
        values = yaml.safe_load(path.read_bytes())
        return isinstance(values, dict) and "stage" in values and stored_settings(stage, values).stage == stage
    except (OSError, ValueError, RecursionError, yaml.YAMLError, OptionError):
        return False
