"""Every command of README and the documentation exists with all its options, and is run but for those listed here."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

with suppress(ImportError):  # before onnx: they disagree on protobuf
    import mindspore  # noqa: F401
import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from srdiff import model_names
from srdiff.bundle import Bundle
from srdiff.doctor.golden import GOLDEN as GOLDEN_FOLDER
from srdiff.model_names import DEFAULT_MODEL, MANY_STEPS, built_in

from .test_public_names import ROOT, commands

PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").glob("*.md") if not page.name.endswith(".zh.md")),
    ROOT / "training" / "README.md",
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "runtime" / "srdiff" / "models").glob("*.md")),
]
# Pages whose commands are run, one after the other, in a folder that has what they name.
RUN = (ROOT / "README.md",)
# Not run here, and why.
LISTED = {
    r"^srdiff-serve\b": "does not end; tests/service runs it",
    r"^srdiff-video\b": "needs films and Python 3.11; tests/runtime/video runs it",
    r"^srdiff-train\b": "takes minutes; tests/training runs each stage",
    r"^srdiff-eval\b": "takes minutes; tests/export/test_evaluate.py runs it",
    r"--device ascend|--optimize|--soc|onnxruntime-cann": "needs an Ascend or its converter; tests/rehearsal",
    r"^python benchmarks/": "takes minutes; tests/benchmarks",
}


@dataclass(frozen=True)
class Documented:
    page: Path
    line: str

    @property
    def words(self) -> list[str]:
        """Without what a shell does: the pipe before it, the redirection behind, variables."""
        line = re.sub(r"\$\w+", "0", self.line.rpartition("| ")[2])  # a variable, as of a job array
        words = shlex.split(line, comments=True)
        return words[: words.index(">")] if ">" in words else words

    @property
    def reason(self) -> str | None:
        """Why it is not run."""
        found = [reason for pattern, reason in LISTED.items() if re.search(pattern, self.line)]
        return found[0] if found else None


def documented(page: Path) -> list[Documented]:
    """The lines of a page that a reader would type."""
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    lines = re.findall(r"^ {4,}((?:cat \S+ \| )?(?:srdiff-\w+|python benchmarks/\w+\.py)(?: .*)?)$", text, re.MULTILINE)
    lines += re.findall(r"^(?:\$ )?((?:srdiff-\w+|python benchmarks/\w+\.py) .*)$", text, re.MULTILINE)
    return [Documented(page, line) for line in lines]


ALL = [entry for page in PAGES for entry in documented(page)]


def opened(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command of a line, and the words that belong to it."""
    if words[0] == "python":
        command = importlib.import_module(Path(words[1]).stem).main
        return command, words[2:]
    command = commands()[words[0]]
    if isinstance(command, click.Group):
        return command.commands[words[1]], words[2:]
    return command, words[1:]


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: f"{entry.page.name}: {entry.line[:60]}")
def test_the_command_takes_these_words(entry: Documented) -> None:
    words = [word for word in entry.words if word != "..."]
    if words[0] == "python":
        pytest.importorskip("onnx")
    command, rest = opened(words)
    command.make_context(words[0], rest).close()


def test_enough_is_found() -> None:
    assert len(ALL) > 40 and {entry.page.name for entry in ALL} >= {"README.md", "ascend.md"}
    assert all(any(re.search(pattern, entry.line) for entry in ALL) for pattern in LISTED), "a reason without a command"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands name: photos, a checkpoint, a bundle, and a data set."""
    place = tmp_path_factory.mktemp("reader")
    rng = np.random.default_rng(0)

    def photo(path: Path, width: int, height: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8)).save(path)

    photo(place / "in.png", 300, 250)
    photo(place / "in.jpg", 20, 16)
    photo(place / "photos" / "a.png", 16, 12)
    photo(place / "photos" / "trip" / "b.jpg", 12, 16)
    for name in ("DIV2K_train_HR", "DIV2K_valid_HR"):
        photo(place / "DIV2K" / name / "0001.png", 64, 48)
    golden = GOLDEN_FOLDER / "golden.srdiff"
    shutil.copy(str(ROOT / "tests" / "data" / "mindediting_tiny.ckpt"), str(place / "model.ckpt"))
    # Stand-ins of the default model, a student, and of small-v1, whose presets have two steps here: of a network that
    # takes a hundredth of the time. A folder of one's own goes before a model of the same name.
    few = {"fast": {"name": "dpm++", "steps": 2, "eta": 1.0}, "full": {"name": "ddpm", "steps": 2}}
    student = {"format_version": 2, "prediction": "x0", "student_steps": 1}
    for name, changes in (("default.srdiff", student), (MANY_STEPS, {"presets": few, "default_preset": "fast"})):
        shutil.copytree(str(golden), str(place / name))
        manifest = json.loads((golden / "manifest.json").read_text())
        (place / name / "manifest.json").write_text(json.dumps({**manifest, **changes}))
    shutil.copytree(str(place / MANY_STEPS), str(place / "my.srdiff"))
    assert set(Bundle(place / MANY_STEPS).manifest.presets) == set(Bundle(built_in()[MANY_STEPS]).manifest.presets)
    assert Bundle(place / "default.srdiff").manifest.steps == Bundle(DEFAULT_MODEL).manifest.steps
    return place


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_page_works_from_top_to_bottom(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SRDIFF_MODELS", str(folder / "models"))
    run = [entry for entry in documented(page) if entry.reason is None]
    assert len(run) > 14
    for entry in run:
        given = Path(entry.line.split()[1]).read_bytes() if entry.line.startswith("cat ") else None
        command, rest = opened(entry.words)
        # The stand-in has no dial.
        default = DEFAULT_MODEL if "--fidelity" in entry.words else folder / "default.srdiff"
        monkeypatch.setattr(model_names, "DEFAULT_MODEL", default)
        # Each starts from the files that it names: what an earlier one wrote may not make it skip its work.
        for made in folder.glob("in_*"):
            made.unlink()
        result = CliRunner().invoke(command, rest, input=given)
        assert result.exit_code == 0, f"{entry.line}\n{result.output}"
        for target in re.findall(r"-o (\S+)", entry.line):
            assert Path(target).exists(), entry.line
        if given is not None:
            assert result.stdout_bytes.startswith(b"\x89PNG")
