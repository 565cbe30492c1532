"""What the container files name is here; building them takes Docker, or buildah and its base images."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .test_public_names import commands, options

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]
FILES = [ROOT / "Dockerfile", *sorted((ROOT / "docker").glob("*.Dockerfile"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_extras_options_and_user(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    extras = re.findall(r"\[([a-z,]+)\]'", text)
    known = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE))
    assert extras and set(extras[0].split(",")) <= known
    entry = json.loads(re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[0])
    assert {word for word in entry if word.startswith("--")} <= options(commands()["srdiff-serve"])
    assert "/readyz" in text and re.search(r"^USER [1-9]", text, re.MULTILINE)


def test_compose_and_what_it_mounts() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    served = services["srdiff"]
    assert served["read_only"] and served["cap_drop"] == ["ALL"]
    assert set(served["command"][::2]) <= options(commands()["srdiff-serve"])
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service["ports"])
    config = yaml.safe_load((ROOT / "docker" / "prometheus.yml").read_text(encoding="utf-8"))
    assert config["scrape_configs"][0]["authorization"]["credentials_file"] == served["command"][1]
