"""A real cluster of three nodes: the same files as without one, and what happens when parts of it go."""

from __future__ import annotations

import json
import platform
import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray.data", reason="pip install 'srdiff[ray,serve]'")

import ray
from click.testing import CliRunner, Result

import srdiff.ray
from srdiff import DeviceError, OptionError
from srdiff.batch.actor import _require_agreement
from srdiff.batch.book import Book
from srdiff.batch.far_referee import referee_here
from srdiff.batch.ledger import Ledger, ledger_in
from srdiff.batch.recipe import Recipe
from srdiff.commands.run import main
from srdiff.diversity import Wanted
from srdiff.jobs.sources import find_sources
from srdiff.jobs.targets import Destination
from srdiff.jobs.work import JobSettings

from .chaos import results, run, survive
from .cluster import QUICK, pictures, three_nodes
from .poison import Crashing, Poisoned, poison

COUNT = 12
RECIPE = Recipe(model="clean", engine="onnxruntime", device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def address():
    cluster = three_nodes()
    yield cluster.address
    cluster.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve inputs, four of which are each wrong in another way, and the results of a run without a cluster."""
    folder = tmp_path_factory.mktemp("ray")
    pictures(folder / "in", COUNT)
    (folder / "in" / "0001.png").write_bytes(b"no image")
    (folder / "in" / "0002.png").write_bytes((folder / "in" / "0003.png").read_bytes()[:200])
    for output in ("whole", "out"):
        (folder / output / "0004.png").mkdir(parents=True)  # where a folder is, no file can be written
    assert run(folder, "whole").returncode == 2
    return folder


def on_ray(folder, address: str, *arguments: str) -> Result:
    words = [str(folder / "in"), "-o", str(folder / "out"), *QUICK, "--ray", address, *arguments]
    return CliRunner().invoke(main, words)


def test_the_same_as_on_one_machine(folder, address):
    said = on_ray(folder, address)
    assert f"{COUNT - 3} enlarged, 0 skipped, 3 failed" in said.output, said.output
    assert said.exit_code == 2 and "0001.png is no image" in said.output and "0004.png cannot be written" in said.output
    (folder / "whole" / "0004.png").rmdir()
    (folder / "out" / "0004.png").rmdir()
    assert results(folder / "out") == results(folder / "whole") and len(results(folder / "out")) == COUNT - 3
    ledgers = [Ledger(ledger_in(folder / output)) for output in ("whole", "out")]
    kept = [{key: (one.status, one.outputs[:1] and one.outputs[0].sha256) for key, one in ledger.entries.items()}
            for ledger in ledgers]  # fmt: skip
    assert kept[0] == kept[1] and len(kept[0]) == COUNT
    assert list(ledgers[0].pins.values()) == list(ledgers[1].pins.values())
    (folder / "in" / "0001.png").write_bytes((folder / "in" / "0000.png").read_bytes())
    again = on_ray(folder, address, "--retry-failed")
    assert "2 enlarged, 9 skipped, 1 failed" in again.output  # the one that could not be written can be by now
    assert "0002.png" in again.output


def test_rows_of_a_dataset(folder, address, tmp_path):
    rows = [{"input": str(folder / "in" / f"{name}.png"), "output": str(tmp_path / f"{name}.png")}
            for name in ("0005", "0002", "none")]  # fmt: skip
    (tmp_path / "elsewhere").mkdir()
    names = [f"file://{folder}/in/0006.png", f"file://{tmp_path}/elsewhere/0006.png"]
    rows.append(dict(zip(("input", "output"), names)))
    with srdiff.ray.connected(address):
        made = srdiff.ray.upscale(ray.data.from_items(rows), recipe=RECIPE).take_all()
        with pytest.raises(OptionError, match="no column output"):
            srdiff.ray.upscale(ray.data.from_items([{"input": "a.png"}]))
    by_name = {Path(row["input"]).name: row for row in made}
    assert {name: row["status"] for name, row in by_name.items()} == {
        "0005.png": "done",
        "0002.png": "failed",
        "none.png": "failed",
        "0006.png": "done",
    }
    assert results(tmp_path / "elsewhere") == {"0006.png": results(folder / "whole")["0006.png"]}
    assert "0002.png" in by_name["0002.png"]["error"] and "none.png cannot be opened" in by_name["none.png"]["error"]
    expected = results(folder / "whole")["0005.png"]
    assert results(tmp_path) == {"0005.png": expected}
    assert json.loads(by_name["0005.png"]["detail"])["entry"]["outputs"][0]["sha256"] == expected


def test_what_a_cluster_cannot_do_is_one_sentence(folder, address, tmp_path):
    words = [str(folder / "in"), "-o", str(tmp_path / "out"), *QUICK[:-2], "--ray", address]
    said = CliRunner().invoke(main, [*words, "--threads", "64"])
    assert said.exit_code == 2 and "no node of the cluster has 64 CPU" in said.output
    said = CliRunner().invoke(main, [*words, "--engine", "onnxruntime", "--precision", "fp16"])
    assert said.exit_code == 2 and "not fp16" in said.output.splitlines()[-1]  # the worker's own sentence
    with pytest.raises(DeviceError, match="no Ray cluster answers"), srdiff.ray.connected("127.0.0.1:1"):
        pass


def test_a_node_that_does_not_start_is_one_sentence(monkeypatch):
    def late(*_, **__):
        raise Exception("The current node timed out\nduring startup")

    monkeypatch.setattr(ray, "init", late)
    sentence = r"at auto \(The current node timed out during startup\); free some memory"
    with pytest.raises(DeviceError, match=sentence), srdiff.ray.connected("auto"):
        pass


def test_a_worker_that_is_not_like_the_first_one_refuses(address):
    with srdiff.ray.connected(address):
        referee = referee_here()
        assert referee.agree({"seed": 1}) == {"seed": 1} == referee.agree({"seed": 2})
        with pytest.raises(OptionError, match="seed 1 for 2 of the worker on"):
            _require_agreement({"seed": 1}, {"seed": 2})


def test_an_image_that_ends_its_worker_costs_itself(address, tmp_path):
    pictures(tmp_path / "in", 10)
    poison(tmp_path / "in" / "0004.png")
    recipe = Poisoned(model="clean", engine="onnxruntime", device="cpu", precision="fp32")
    sources = find_sources([str(tmp_path / "in")], "_x4").sources
    jobs = Destination(str(tmp_path / "out")).jobs(sources, recipe.settings.wanted)
    book, pool = Book(recipe.settings, Ledger(ledger_in(tmp_path / "out"))), srdiff.ray.Pool(workers=1, tries=1)
    with srdiff.ray.connected(address):
        made = list(srdiff.ray.make_all(jobs, book, recipe, pool))
    failed = {outcome.job.key: str(outcome.error) for outcome in made if outcome.error is not None}
    assert len(made) == 10 and list(failed) == ["0004.png"]
    assert "0004.png ended its worker's process 1 of 1 times" in failed["0004.png"]
    entries = Ledger(ledger_in(tmp_path / "out")).entries
    assert {key: entry.error for key, entry in entries.items() if entry.error} == failed and len(entries) == 10
    assert len(results(tmp_path / "out")) == 9


def test_a_model_that_ends_whoever_opens_it_ends_the_batch(address, tmp_path):
    pictures(tmp_path / "in", 2)
    jobs = Destination(str(tmp_path / "out")).jobs(find_sources([str(tmp_path / "in")], "_x4").sources, Wanted())
    book, pool = Book(JobSettings(), Ledger(ledger_in(tmp_path / "out"))), srdiff.ray.Pool(workers=1, tries=1)
    sentence = f"ended 1 of 1 times while it opened clean, on {platform.node()}; see what"
    with srdiff.ray.connected(address), pytest.raises(DeviceError, match=sentence):
        list(srdiff.ray.make_all(jobs, book, Crashing(model="clean"), pool))


@pytest.mark.slow
def test_killed_workers_nodes_and_drivers(tmp_path):
    """20 kills over 300 images have been seen to do no harm: ``python -m tests.ray.chaos --images 300 --kills 20``."""
    survive(tmp_path, images=24, kills=4, rng=random.Random(0))


def test_urls_and_paths(address, tmp_path, monkeypatch):
    monkeypatch.setattr(srdiff.ray, "_mapped", lambda dataset, *_: dataset)
    pictures(tmp_path / "in", 2)
    with srdiff.ray.connected(address):
        for images in (f"simplecache::file://{tmp_path}/in", [f"file://{tmp_path}/in"], tmp_path / "in"):
            made = srdiff.ray.upscale(images, f"file://{tmp_path}/out", RECIPE).take_all()
            assert [row["key"] for row in made] == ["0000.png", "0001.png"]
            assert [row["output"] for row in made] == [str(tmp_path / "out" / row["key"]) for row in made]


def test_a_pool_says_what_is_wrong():
    for wrong in ({"workers": 0}, {"cpus": 0}, {"images": 0}, {"tries": 0}, {"gpus": -1}, {"resources": {"NPU": -1}}):
        with pytest.raises(OptionError):
            srdiff.ray.Pool(**wrong)
    assert srdiff.ray.Pool(cpus=2, gpus=0.5) and JobSettings() == Recipe().settings
    assert type(srdiff.ray.Pool(cpus=np.int64(2)).cpus) is int
