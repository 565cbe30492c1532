"""What lies in a run's folder: the run's own goes on, a person's is not replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

pytest.importorskip("mindspore")

from srdiff.errors import OptionError, OutputError
from srdiff_training.commands.train import main
from srdiff_training.run.log import LOG_NAME, PLOT_NAME
from srdiff_training.run.own_folder import SETTINGS_NAME
from srdiff_training.run.snapshot import BEST_NAME
from srdiff_training.run.train import train

from .training_runs import TINY, tiny_settings

HANDWRITTEN = "batch: 4\ndata: photos\noutput: run\n"
OTHER_STAGE = "stage: rrdb\ndata: photos\noutput: run\n"


def folder_of(place: Path, names: list[str], settings: str) -> Path:
    place.mkdir()
    for name in names:
        (place / name).write_text(settings if name == SETTINGS_NAME else "step\n")
    return place


def attempt(folder: Path, resume: bool) -> str:
    """The sentence; an OptionError's where the folder is taken: there is nothing to train with."""
    before = {path.name: path.read_text() for path in folder.iterdir()}
    with pytest.raises((OptionError, OutputError)) as caught:
        train(tiny_settings(Path("photos"), folder, freeze_encoder=True), resume)
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    return str(caught.value)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("settings", ["", "[", "stage: srdiff", "step\n", HANDWRITTEN, OTHER_STAGE])
@pytest.mark.parametrize("names", [[BEST_NAME], [PLOT_NAME], [LOG_NAME], [BEST_NAME, LOG_NAME, SETTINGS_NAME],
                                   [LOG_NAME, SETTINGS_NAME], [SETTINGS_NAME]])  # fmt: skip
def test_nothing_of_a_persons_is_replaced(tmp_path: Path, names: list[str], settings: str, resume: bool) -> None:
    said = attempt(folder_of(tmp_path / "run", names, settings), resume)
    assert f"holds {names[0]} already; move it away, or choose another output" in said


@pytest.mark.parametrize("names", [[SETTINGS_NAME], [LOG_NAME, SETTINGS_NAME], [PLOT_NAME, LOG_NAME, SETTINGS_NAME]])
def test_a_run_without_a_checkpoint_begins_anew(tmp_path: Path, names: list[str]) -> None:
    """It was killed before the first, or the first was removed to go on with a lower rate."""
    own = yaml.safe_dump(tiny_settings(tmp_path, tmp_path).plain(), sort_keys=False)
    folder = folder_of(tmp_path / "run", names, own)
    assert f"holds {names[0]} already; go on with resume=True" in attempt(folder, resume=False)
    assert "the encoder is frozen and has no weights" in attempt(folder, resume=True)


def test_a_best_checkpoint_alone_is_kept(tmp_path: Path) -> None:
    """Obeying leads on, whichever is chosen."""
    own = yaml.safe_dump(tiny_settings(tmp_path, tmp_path).plain())
    folder = folder_of(tmp_path / "run", [BEST_NAME, LOG_NAME, SETTINGS_NAME], own)
    said = attempt(folder, resume=True)
    assert "best.ckpt is there and no step_*.ckpt; copy it to step_1.ckpt to go on from it, or move it away" in said
    (folder / BEST_NAME).rename(folder / "mine.ckpt")
    assert "the encoder is frozen and has no weights" in attempt(folder, resume=True)


def test_the_command_line_names_its_option(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "run", ["step_00000001.ckpt"], "")
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({**TINY, "data": "photos", "output": str(folder)}))
    result = CliRunner().invoke(main, ["srdiff", "--config", str(config)])
    assert result.exit_code == 2
    assert "holds step_00000001.ckpt already; go on with --resume, or choose another output" in result.output
