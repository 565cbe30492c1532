"""Tables and numbers that are written down are those of the results in benchmarks/results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median

import damage
import few_steps
import flicker
import pytest
from common.tables import around_marks
from grading import report
from racing import latency_report
from racing.few_steps_ways import ESRGAN, FULL, ONE, TEN, Way

from srdiff.model_names import DEFAULT_MODEL

MARKDOWN = {  # of results that are not quality.py's
    "few_steps": few_steps.markdown,
    "few_steps_bf16": few_steps.markdown,
    "damage": damage.markdown,
    "flicker": flicker.markdown,
    "latency": latency_report.as_text,
    "latency_hidden_amx": latency_report.as_text,
    "latency_windows": latency_report.as_text,
}
ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
CARD = ROOT / "runtime" / "srdiff" / "models" / "CLEAN_MODEL_CARD.md"
PHOTO_CARD = CARD.with_name("PHOTO_MODEL_CARD.md")
# Columns of the card, for each data set, and their digits.
COLUMNS = {"psnr_y": 2, "lpips": 3, "flip": 3, "lr_psnr": 1}


def mean(data: str, method: str, measure: str, file: str = "clean") -> float:
    """Of a row of a file's result whose name ends so."""
    document = json.loads((RESULTS / f"{file}.json").read_text(encoding="utf-8"))
    (table,) = [entry for entry in document["tables"] if entry["data"] == data]
    (row,) = [row for row in table["rows"] if row["method"].endswith(method)]
    return row["mean"][measure]


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.json")), ids=lambda file: file.stem)
def test_the_page_has_the_table_of_the_result(file: Path) -> None:
    page = ROOT / "benchmarks" / "README.md"
    before, after = around_marks(page, file.stem)
    document = json.loads(file.read_text(encoding="utf-8"))
    assert page.read_text(encoding="utf-8") == f"{before}\n{MARKDOWN.get(file.stem, report.markdown)(document)}{after}"


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_readme_says_what_was_measured(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for model in ("photo", "clean"):
        said = re.findall(rf"^\| `{model}`.* \| 1 \| (\S+) \| (\S+) \|", text, re.MULTILINE)
        assert said == [tuple(f"{mean('Set5', '1 step', key, model):.{COLUMNS[key]}f}" for key in ("psnr_y", "lpips"))]
    best = [f"{mean('Set5', method, 'lpips', 'photo'):.3f}" for method in ("1 step", "bicubic")]
    assert re.findall(r"^- .*LPIPS.*(0\.\d{3}).*(0\.\d{3})", text, re.MULTILINE) == [tuple(best)]


def test_the_default_is_nearly_as_sharp_as_clean_where_inputs_are_clean() -> None:
    """Which is the condition under which photo may be the default."""
    assert DEFAULT_MODEL.stem == "photo"
    for data in ("Set5", "Set14"):
        assert mean(data, "1 step", "lpips", "photo") <= mean(data, "1 step", "lpips", "clean") + 0.02


def test_photos_card_says_what_was_measured() -> None:
    text = PHOTO_CARD.read_text(encoding="utf-8")
    said = re.findall(r"^\| photo (?:\| \S+ ){2}\| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", text, re.MULTILINE)
    found = [(data, key) for data in ("Set5", "Set14") for key in ("psnr_y", "lpips")]
    assert said == [tuple(f"{mean(data, '1 step', key, 'photo'):.{COLUMNS[key]}f}" for data, key in found)]


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_readme_says_what_many_steps_have(page: str) -> None:
    """``fast`` of its file, ``full`` of the table that was recorded by hand."""
    text = (ROOT / page).read_text(encoding="utf-8")
    fast = tuple(f"{mean('Set5', '10 steps', key, 'fast'):.{COLUMNS[key]}f}" for key in ("psnr_y", "lpips"))
    assert re.findall(r"^\| `small-v1`, `fast` \| 10 \| (\S+) \| (\S+) \|", text, re.MULTILINE) == [fast]
    sweep = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").partition("<!-- sweep -->")[2]
    psnr, lpips = re.findall(
        r"^\| openvino bf16, ddpm, 100 steps \| (\S+)(?: \| \S+){3} \| (\S+)", sweep, re.MULTILINE
    )[0]
    full = (psnr, f"{float(lpips):.3f}")
    assert re.findall(r"^\| `small-v1`, `full` \| 100 \| (\S+) \| (\S+) \|", text, re.MULTILINE) == [full]


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_readme_says_how_long_each_way_takes(page: str) -> None:
    """Against one step, for results of 256x256 and 1024x1024."""
    text = (ROOT / page).read_text(encoding="utf-8")
    rounds = json.loads((RESULTS / "few_steps.json").read_text(encoding="utf-8"))["rounds"]

    def ratio(way: Way, side: int) -> str:
        made = [turn["made"] for turn in rounds if turn["side"] == side]
        return (
            f"{median(turn[way.name]['seconds'] / turn[ONE.name]['seconds'] for turn in made if way.name in turn):.1f}"
        )

    for name, way in (("`photo`", ONE), ("`small-v1`, `fast`", TEN), ("`small-v1`, `full`", FULL)):
        (cell,) = re.findall(rf"^\| {name}.*\| ([^|]+) \|$", text, re.MULTILINE)
        assert re.findall(r"[\d.]+", cell) == [ratio(way, 256), ratio(way, 1024)]
    assert re.search(rf"Real-ESRGAN.*\D{ratio(ESRGAN, 256)}\D+{ratio(ESRGAN, 1024)}\D", text, re.DOTALL)


@pytest.mark.parametrize(
    ("start", "method"),
    [
        ("| bicubic |", "bicubic"),
        ("| clean, one step |", "1 step"),
        ("| clean, `--fidelity 0.5` |", "fidelity 0.5"),
        ("| clean, `--fidelity 1` |", "fidelity 1"),
    ],
)
def test_the_card_says_what_was_measured(start: str, method: str) -> None:
    (line,) = [line for line in CARD.read_text(encoding="utf-8").splitlines() if line.startswith(start)]
    cells = [cell.strip() for cell in line.strip("|").split("|")][1:]
    sets = ("Set5", "Set14")
    assert cells == [f"{mean(data, method, key):.{digits}f}" for data in sets for key, digits in COLUMNS.items()]
