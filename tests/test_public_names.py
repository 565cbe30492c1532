"""Names that people rely on; taking one away is a decision and not an accident, so it is made here, too."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import click
import numpy
import pytest
from click.testing import CliRunner

import srdiff
from srdiff import starting

ROOT = Path(__file__).parents[1]
API = """
    AsyncUpscaler Bundle BundleError CheckpointError DeviceError ImageError OptionError OutputError PackageError
    ParityError SRDiffError Upscaler __version__
"""
COMMANDS = {
    "srdiff-doctor": """
        --debug --json --threads --version
    """,
    "srdiff-eval": """
        --bundle --ckpt --clip-denoised --crop --data --debug --engine --json --limit --lr-up --margin
        --no-clip-denoised --precision --res-rescale --schedule --seed --steps --threads --timesteps --version
        --weights
    """,
    "srdiff-export": """
        --bundle --check-shape --ckpt --clip-denoised --debug --family --format --inspect --keep-checkpoint
        --license --lr-up --margin --name --no-clip-denoised --opset --optimize --origin --output --overlap
        --overwrite --precision --profiles --res-rescale --schedule --shape --soc --timesteps --version
        --weights -o
    """,
    "srdiff-models": """
        --debug --name --sha256 --version
    """,
    "srdiff-preprocess": """
        --crop-size --dataset --debug --jobs --output --overwrite --root --scale --version -o
    """,
    "srdiff-run": """
        --all-frames --average --consistency --crop --debug --device --dry-run --engine --engine-option --eta
        --fidelity --format --json --ledger --list-devices --max-pixels --model --output --overlap --overwrite
        --precision --preset --quality --quiet --ray --recursive --retry-failed --sampler --samples --scale
        --seed --shard --size --spacing --steps --suffix --threads --tile --uncertainty --verify --version
        --workers -o -s
    """,
    "srdiff-serve": """
        --debug --device --engine --engine-option --host --keep-mib --keep-seconds --max-mib --max-pixels
        --max-seconds --max-waiting --model --port --precision --threads --tile --token-file --version --workers
    """,
    "srdiff-train": """
        --config --debug --resume --set --version
    """,
    "srdiff-video": """
        --codec --crf --debug --device --end --engine --engine-option --eta --fidelity --list-devices --max-pixels
        --model --overlap --overwrite --precision --preset --quiet --sampler --scale --seed --size --spacing --start
        --steps --threads --tile --version -s
    """,
}


def commands() -> dict[str, click.Command]:
    """The entry points of pyproject.toml, opened."""
    lines = re.findall(r'^(srdiff-[\w-]+) = "([\w.]+):(\w+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return {name: getattr(importlib.import_module(module), attribute) for name, module, attribute in lines}


def options(command: click.Command) -> set[str]:
    """Of a command, and of those below it."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = {name for param in command.params for name in [*param.opts, *param.secondary_opts] if name.startswith("-")}
    return own.union(*map(options, below))


def test_the_api() -> None:
    assert sorted(srdiff.__all__) == sorted(API.split())
    assert all(hasattr(srdiff, name) for name in srdiff.__all__)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_options(name: str) -> None:
    assert options(commands()[name]) == set(COMMANDS[name].split()), f"say here what became of {name}'s options"


def test_every_command_is_listed() -> None:
    assert set(commands()) <= set(COMMANDS), "list the new command's options here"
    assert set(commands()) == set(starting.COMMANDS)


def test_readme_uses_what_there_is() -> None:
    """Commands and options in README.md exist."""
    known = {name: options(command) | {"--help", "-h"} for name, command in commands().items()}
    lines = re.findall(r"^    (?:.*\| )?(srdiff-\w+) (.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) > 10
    for name, rest in lines:
        words = re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", rest.split("#")[0])
        assert set(words) <= known[name], f"{name} {rest}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_its_versions(name: str) -> None:
    result = CliRunner().invoke(commands()[name], ["--version"])
    assert result.exit_code == 0 and result.output.startswith(f"srdiff {srdiff.__version__}\npython ")
    assert f"numpy {numpy.__version__}\n" in result.output
