"""What the workflows call is here, and what a release must agree on agrees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import srdiff

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]
RULES = "".join(file.read_text(encoding="utf-8") for file in [ROOT / "Makefile", *ROOT.glob("*.mk")])
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(workflow: Path) -> list[dict[str, object]]:
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job.get("steps", [])]


def test_every_job_runs_make_and_each_target_is_here() -> None:
    targets = set(re.findall(r"^([a-z-]+):", RULES, re.MULTILINE))
    commands = [str(step["run"]) for workflow in WORKFLOWS for step in steps(workflow) if "run" in step]
    assert len(commands) >= 8
    for command in commands:
        words = command.split()
        assert words[0] == "make", command
        assert {word for word in words[1:] if "=" not in word} <= targets, command


def test_an_environment_is_made_when_all_of_it_is() -> None:
    """Its folder is there from the first moment, and an interrupted build must not count."""
    built = re.findall(r"^(\.venv-\w+)\S*:.*\n((?:\t.*\n)+)", RULES, re.MULTILINE)
    assert len(built) >= 6
    assert re.findall(r"^\.venv-\w+(?=:)", RULES, re.MULTILINE) == []
    for folder, recipe in built:
        assert recipe.startswith(f"\trm -rf {folder}\n") and recipe.endswith("\ttouch $@\n")


def test_actions_are_pinned_to_a_commit() -> None:
    used = [str(step["uses"]) for workflow in WORKFLOWS for step in steps(workflow) if "uses" in step]
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)


def test_one_version() -> None:
    said = [
        re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE),
        re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE),
        re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE),
    ]
    assert [found and found[1] for found in said] == [srdiff.__version__] * 3
