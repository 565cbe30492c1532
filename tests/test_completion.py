"""README's line for shell completion, and what it completes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from .test_public_names import ROOT, commands

MINE = "mine"


@pytest.fixture
def added_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRDIFF_MODELS", str(tmp_path))
    (tmp_path / f"{MINE}.srdiff").mkdir()


def complete(name: str, typed: str) -> list[str]:
    """What ``name typed<TAB>`` offers in bash."""
    module, function = re.search(  # type: ignore[union-attr]
        rf'^{name} = "([\w.]+):(\w+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    ).groups()
    variable = f"_{name.upper().replace('-', '_')}_COMPLETE"
    environment = {
        **os.environ,
        "PYTHONPATH": ":".join(sys.path),
        variable: "bash_complete",
        "COMP_WORDS": f"{name} {typed}",
        "COMP_CWORD": str(len(typed.split()) - (not typed.endswith(" ")) + 1),
    }
    code = f"from {module} import {function} as main; main(prog_name={name!r})"
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return [line.partition(",")[2] for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("name", "typed", "offered"),
    [
        ("srdiff-run", "in.png --pre", ["--precision", "--preset"]),
        ("srdiff-run", "in.png --spacing q", ["quadratic"]),
        ("srdiff-models", "ver", ["verify"]),
        ("srdiff-doctor", "--j", ["--json"]),
    ],
)
def test_options_and_values_are_completed(name: str, typed: str, offered: list[str]) -> None:
    assert sorted(complete(name, typed)) == offered


@pytest.mark.parametrize(
    ("name", "typed", "kinds", "offered"),
    [
        ("srdiff-run", "", ["file"], []),
        ("srdiff-run", "one.png tw", ["file"], []),
        ("srdiff-run", "one.png -o ", ["file"], []),
        ("srdiff-run", "one.png --model ", ["dir"], ["clean", MINE, "photo", "small-v1"]),
        ("srdiff-video", "one.mp4 two.mp4 --model s", ["dir"], ["small-v1"]),
        ("srdiff-serve", "--model p", ["dir"], ["photo"]),
        ("srdiff-run", "one.png --preset f", [], ["fast", "full"]),
        ("srdiff-run", "one.png --model photo --preset ", [], []),
        ("srdiff-run", "one.png --model none --preset ", [], []),
        ("srdiff-run", "one.png --device a", [], ["ascend", "auto"]),
        ("srdiff-serve", "--device c", [], ["cpu"]),
        ("srdiff-models", "remove ", [], [MINE]),
        ("srdiff-models", "verify c", ["dir"], ["clean"]),
        ("srdiff-models", "add ", ["file"], []),
        ("srdiff-train", "rrdb --config ", ["file"], []),
    ],
)
def test_files_and_names_are_completed(
    name: str, typed: str, kinds: list[str], offered: list[str], added_model: None
) -> None:
    *words, incomplete = typed.split(" ")
    items = ShellComplete(commands()[name], {}, name, "_COMPLETE").get_completions(words, incomplete)
    assert [item.type for item in items if item.type != "plain"] == kinds
    assert sorted(item.value for item in items if item.type == "plain") == offered


def test_every_argument_is_completed(added_model: None) -> None:
    for command in commands().values():
        for each in (command, *getattr(command, "commands", {}).values()):
            context = click.Context(each, resilient_parsing=True)
            arguments = [param for param in each.params if isinstance(param, click.Argument)]
            assert all(param.shell_complete(context, "") for param in arguments), each.name


def test_readmes_line_is_clicks_variable() -> None:
    (line,) = re.findall(r"^    (eval .*COMPLETE.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    variable, shell, name = re.match(r'eval "\$\((\w+)=(\w+) ([\w-]+)\)"', line).groups()  # type: ignore[union-attr]
    assert (variable, shell) == ("_SRDIFF_RUN_COMPLETE", "bash_source") and name in commands()
