"""README's line for shell completion, and what it completes."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from .test_public_names import ROOT, commands


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


def test_readmes_line_is_clicks_variable() -> None:
    (line,) = re.findall(r"^    (eval .*COMPLETE.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    variable, shell, name = re.match(r'eval "\$\((\w+)=(\w+) ([\w-]+)\)"', line).groups()  # type: ignore[union-attr]
    assert (variable, shell) == ("_SRDIFF_RUN_COMPLETE", "bash_source") and name in commands()
