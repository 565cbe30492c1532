"""What all commands of the benchmarks have in common."""

from __future__ import annotations

import importlib

import pytest
from click.testing import CliRunner

COMMANDS = ["few_steps", "folder", "latency", "quality", "scale", "tiles", "train_step"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_short_and_has_both_names(command: str) -> None:
    if command == "quality":
        pytest.importorskip("flip_evaluator", reason="pip install 'srdiff[bench]'")
    main = importlib.import_module(command).main
    short, long = (CliRunner().invoke(main, [option]) for option in ("-h", "--help"))
    assert short.exit_code == long.exit_code == 0 and short.output == long.output
    assert "--debug" in short.output and max(map(len, short.output.splitlines())) <= 100
