"""The documentation builds without a warning, and its pictures are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .test_public_names import ROOT, commands

pytest.importorskip("furo")
pytest.importorskip("myst_parser")


def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", tmp_path / "trees"]
    built = subprocess.run([*command, ROOT / "docs", tmp_path / "html"], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    api = (tmp_path / "html" / "api.html").read_text(encoding="utf-8")
    assert "from_bundle" in api and "Raises" in api


@pytest.mark.parametrize("name", commands())
def test_every_command_has_its_entry_and_one_line_that_says_what_it_does(name: str) -> None:
    assert f":prog: {name}\n" in (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    command = commands()[name]
    for each in [command, *getattr(command, "commands", {}).values()]:
        assert each.get_short_help_str().endswith("."), each.name
        assert not each.get_short_help_str().endswith("..."), f"{name} {each.name}: manual pages and lists cut it"


@pytest.mark.parametrize(
    "file", ["README.md", "CONTRIBUTING.md", "SECURITY.md", *map(str, (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_to_files(file: str) -> None:
    page = ROOT / file
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{file}: {target}"
    if file == "SECURITY.md":
        for name in re.findall(r"`(?:tests/\w+/)?(test_\w+\.py)`", page.read_text(encoding="utf-8")):
            assert list((ROOT / "tests").rglob(name)), name


def test_this_project_is_installed_from_its_files() -> None:
    """No index has it, so what its name led to there would be somebody else's."""
    pages = [file for kind in ("*.md", "docs/*.md", "*/README.md", "examples/*.py") for file in ROOT.glob(kind)]
    found = [line for page in pages for line in re.findall("pip install .*", page.read_text(encoding="utf-8"))]
    assert len(found) > 15 and [line for line in found if re.search(r"""install ['"]?srdiff""", line)] == []


def test_every_extra_is_in_the_table_of_both_readmes() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    part = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    extras = sorted(re.findall(r"^(\w+) = \[", part, re.MULTILINE))
    for name in ("README.md", "README.zh.md"):
        rows = re.findall(r"^\| (`[a-z`, ]+`) \|", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        assert sorted(extra for row in rows for extra in re.findall(r"`([a-z]+)`", row) if extra in extras) == extras
