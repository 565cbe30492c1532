"""The command, end to end, on one small photo: report, resuming, parity gate on every engine installed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import pytest
import quality
from click.testing import CliRunner, Result
from grading import methods
from grading.gate import Verdict
from PIL import Image
from skimage import data

from srdiff.bundle import Bundle
from srdiff.engines import ENGINES, PRECISIONS, Arrays, Engine, Graph, Shapes, open_engine
from srdiff.errors import DeviceError, PackageError
from srdiff.samplers import DDPM, Sampler
from srdiff.upscaler import Upscaler

from ..models import SMALL
from .golden_bundle import GOLDEN

# For the gate: fp32 engines part at once, bf16 needs steps to forgive what the first ones are off.
STEPS = {"fp32": "4", "bf16": "16", "fp16": "16"}


def installed() -> list[tuple[str, str]]:
    """(engine, precision) of all that open here."""
    found = []
    for engine in ENGINES:
        for precision in PRECISIONS:
            try:
                open_engine(engine, "auto", precision)
            except (DeviceError, PackageError):
                continue
            found.append((engine, precision))
    return found


def run(photos: Path, *arguments: str) -> Result:
    output = str(photos.parent / "out")
    fixed = ["--bundle", str(GOLDEN), "--data", str(photos), "-o", output, "--threads", "2"]
    return CliRunner().invoke(quality.main, [*fixed, *arguments], catch_exceptions=False)


def report(photos: Path) -> dict[str, Any]:
    return json.loads((photos.parent / "out" / "quality.json").read_text())


def test_report_holds_every_row_and_needs_nothing_else(photos: Path) -> None:
    result = run(photos, "--steps", "2,3", "--seeds", "2", "--average", "--consistency")
    assert result.exit_code == 0, result.output
    (table,) = report(photos)["tables"]
    rows = {row["method"]: row for row in table["rows"]}
    assert len(rows) == len(table["rows"]) == 2 + 2 * 4
    assert rows["bicubic"]["spread"]["psnr_y"] is None
    model = next(row for row in table["rows"] if row.get("steps") == 3)
    assert model["seeds"] == 2 and model["spread"]["psnr_y"] > 0
    first, second = (entry["psnr_y"] for entry in model["images"]["eyes"])
    assert first != second and model["mean"]["psnr_y"] == pytest.approx((first + second) / 2)

    label = model["method"]
    assert rows[f"{label}, mean of 2"]["mean"]["psnr_y"] > model["mean"]["psnr_y"]
    assert rows[f"{label}, consistent"]["mean"]["lr_psnr"] > model["mean"]["lr_psnr"] + 10

    page = (photos.parent / "out" / "quality.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,16})', page)
    assert sources and all(source.startswith(("data:image/", "#")) for source in sources)
    assert page.count("<svg") == 4 and "<script" not in page
    text = (photos.parent / "out" / "quality.md").read_text()
    for row in table["rows"]:
        assert f"| {row['method']} | {row['mean']['psnr_y']:.2f}" in text


def test_a_second_run_makes_nothing_again(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(photos, "--steps", "1").exit_code == 0
    before = report(photos)

    def never(*_: Any, **__: Any) -> None:
        pytest.fail("a result was made again")

    monkeypatch.setattr(Upscaler, "enlarge", never)
    assert run(photos, "--steps", "1").exit_code == 0
    assert report(photos)["tables"] == before["tables"]


def test_another_border_measures_again_without_sampling(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(photos, "--steps", "1", "--crop", "0").exit_code == 0
    before = report(photos)
    monkeypatch.setattr(Upscaler, "enlarge", lambda *_: pytest.fail("a result was made again"))
    assert run(photos, "--steps", "1", "--crop", "8").exit_code == 0
    bicubic, bicubic_before = report(photos)["tables"][0]["rows"][0], before["tables"][0]["rows"][0]
    assert bicubic["mean"]["psnr_y"] != bicubic_before["mean"]["psnr_y"]
    assert bicubic["mean"]["lr_psnr"] == bicubic_before["mean"]["lr_psnr"]


def test_an_interrupted_run_goes_on(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    enlarge = Upscaler.enlarge

    def stop_after_one(self: Upscaler, photo: Any, seed: int = 0, sampler: Sampler = DDPM, *rest: Any) -> Any:
        if len(made) == 1:
            raise KeyboardInterrupt
        result = enlarge(self, photo, seed, sampler, *rest)
        made.extend([seed] if sampler.steps == 2 else [])
        return result

    monkeypatch.setattr(Upscaler, "enlarge", stop_after_one)
    assert run(photos, "--steps", "2", "--seeds", "3").exit_code == 130
    assert not (photos.parent / "out" / "quality.json").exists()
    made[:] = [None, None]
    assert run(photos, "--steps", "2", "--seeds", "3").exit_code == 0
    assert made == [None, None, 1, 2]


REFERENCE = ("onnxruntime" if ("onnxruntime", "fp32") in installed() else installed()[0][0], "fp32")


@pytest.mark.parametrize("model", ["small-v1", "photo"])
@pytest.mark.parametrize(("engine", "precision"), [pair for pair in installed() if pair != REFERENCE])
def test_gate_on_every_engine_installed(engine: str, precision: str, model: str, photos: Path) -> None:
    """Each against the float32 reference, with the shipped models, on the mean of two photos."""
    Image.fromarray(data.chelsea()[40:168, 140:268]).save(photos / "HR" / "cat.png")
    arguments = ["--bundle", model, "--engine", engine, "--precision", precision, "--gate"]
    arguments += ["--engine", REFERENCE[0]] if precision == "fp32" else ["--precision", "fp32"]
    arguments += ["--steps", STEPS[precision]] if model == "small-v1" else []
    result = run(photos, *arguments)
    assert result.exit_code == 0, result.output
    (verdict,) = report(photos)["gate"]
    assert not verdict["missed"] and verdict["parity"] >= 45


class Perturbed(Graph):
    """A graph whose results are a little off."""

    def __init__(self, graph: Graph, amount: float) -> None:
        self.graph, self.amount = graph, amount

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        outputs = self.graph.run(inputs)
        return {name: array + np.float32(self.amount if name == "x_next" else 0) for name, array in outputs.items()}


class PerturbedEngine(Engine):
    device = "cpu"
    precision = "bf16"
    name = "broken"

    def __init__(self, engine: Engine, amount: float) -> None:
        self.engine, self.amount = engine, amount

    def compile(self, model: bytes, shapes: Shapes) -> Graph:
        return Perturbed(self.engine.compile(model, shapes), self.amount)


@pytest.mark.parametrize(("amount", "passes"), [(0.0, True), (0.05, False)])
def test_gate_fails_on_an_engine_that_is_off(
    amount: float, passes: bool, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both(bundle: Bundle, *_: Any) -> list[Upscaler]:
        exact = open_engine("auto", "cpu", "fp32")
        return [Upscaler(bundle, exact), Upscaler(bundle, PerturbedEngine(exact, amount))]

    monkeypatch.setattr(quality, "open_upscalers", both)
    result = run(photos, "--steps", "2", "--gate")
    assert result.exit_code == (0 if passes else 1)
    assert ("miss the gate" in result.output) is not passes
    assert bool(report(photos)["gate"][0]["missed"]) is not passes


def test_gate_needs_a_reference_and_something_to_compare(photos: Path) -> None:
    (engine, _), *_ = installed()
    result = run(photos, "--engine", engine, "--precision", "fp32", "--steps", "1", "--gate")
    assert result.exit_code == 2 and "there is only one" in result.output
    assert not (photos.parent / "out").exists()


@pytest.mark.parametrize(
    ("psnr", "lpips", "parity", "missed"),
    [
        (0.01, 0.001, 45.0, 0),
        (-0.011, None, 60.0, 1),
        (0.011, 0.0, 60.0, 1),
        (0.0, -0.0011, 60.0, 1),
        (0.02, 0.002, 44.9, 3),
    ],
)
def test_gate_bounds(psnr: float, lpips: float | None, parity: float, missed: int) -> None:
    assert len(Verdict("Set", "a", "b", psnr, lpips, parity, 1).reasons) == missed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--steps", "0"], "numbers from 1 to 100"),
        (["--steps", "ten"], "numbers from 1 to 100"),
        (["--average"], "seeds"),
        (["--crop", "64", "--steps", "1"], "--crop"),
        (["--data", "nowhere/Photos"], "holds no images"),
        (["--photos", "nowhere"], "holds no images"),
    ],
)
def test_bad_options_are_one_sentence(arguments: list[str], words: str, photos: Path) -> None:
    result = run(photos, *arguments)
    assert result.exit_code == 2 and words in result.output
    assert not (photos.parent / "out" / "quality.json").exists()


def test_photos_without_a_truth_have_rows_and_pictures(photos: Path) -> None:
    output = photos.parent / "out"
    arguments = ["--photos", str(photos / "HR"), "--limit", "1", "--steps", "1", "-o", str(output), "--threads", "2"]
    Image.fromarray(data.chelsea()[:32, :40]).save(photos / "HR" / "eyes.png")
    result = CliRunner().invoke(quality.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (table,) = report(photos)["tables"]
    assert table["rows"][0]["method"] == "bicubic"
    for row in table["rows"]:
        assert {key for key, value in row["mean"].items() if value is not None} == {"lr_psnr", "blur"}
    assert "| Method | LR-PSNR dB ↑ | Blur ↓ | s |" in result.output
    page = (output / "quality.html").read_text()
    assert "truth" not in page and page.count("<figure>") == 2 + 1 + 2 + 1


def test_real_esrgan_is_a_row(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With windows that are enlarged by repeating: the network itself has its own test."""

    class Repeating:
        version = "0"

        def __init__(self, threads: int | None) -> None:
            assert threads == 2

        def __call__(self, lr: np.ndarray) -> np.ndarray:
            return lr.repeat(4, 0).repeat(4, 1)

    monkeypatch.setattr(quality, "RealEsrgan", Repeating)
    assert run(photos, "--steps", "1", "--peer", "ncnn").exit_code == 0
    row = report(photos)["tables"][0]["rows"][1]
    assert row["method"] == "Real-ESRGAN x4plus, ncnn fp32" and row["mean"]["lr_psnr"] > 30
    assert "ncnn" in report(photos)["versions"]


def test_table_goes_between_the_marks_of_a_file(photos: Path) -> None:
    readme = photos.parent / "README.md"
    readme.write_text("before\n<!-- quality -->\nstale\n<!-- /quality -->\nafter\n")
    for _ in range(2):
        assert run(photos, "--steps", "1", "--insert", str(readme)).exit_code == 0
    text = readme.read_text()
    assert text.startswith("before\n<!-- quality -->\n```") and text.endswith("<!-- /quality -->\nafter\n")
    assert "stale" not in text and text.count("| bicubic |") == 1
    readme.write_text("no marks")
    result = run(photos, "--steps", "1", "--insert", str(readme))
    assert result.exit_code == 2 and readme.read_text() == "no marks"


@pytest.mark.slow
def test_export_loses_nothing_of_a_checkpoint(photos: Path, export_golden) -> None:
    """MindSpore's own result with the same noise is the gate's reference."""
    ckpt = Path(__file__).parents[1] / "data" / "leiali_tiny.ckpt"
    bundle = export_golden("leiali", True)
    result = run(photos, "--bundle", str(bundle), "--ckpt", str(ckpt), "--precision", "fp32", "--steps", "4", "--gate")
    assert result.exit_code == 0, result.output
    assert {verdict["reference"] for verdict in report(photos)["gate"]} == {"mindspore fp32, ddpm, 4 steps"}
    assert report(photos)["gate"][0]["levels"] <= 1

    result = run(photos, "--ckpt", str(ckpt), "--steps", "1")
    assert result.exit_code == 2 and "exported from" in result.output


def test_all_stands_for_what_opens_here() -> None:
    upscalers = methods.open_upscalers(Bundle(SMALL), ("all",), ("all",), 2)
    assert [(u.engine.name, u.engine.precision) for u in upscalers] == installed()
