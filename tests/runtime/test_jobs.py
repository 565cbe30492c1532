"""What is read, where results go, and what came of it; no file of a person's is ever lost."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from srdiff import OptionError, OutputError
from srdiff.diversity import Wanted
from srdiff.jobs.sources import Source
from srdiff.jobs.targets import Destination
from srdiff.jobs.work import Crop, JobSettings

from .in_process import PICTURE, names, picture


def test_the_same_name_with_two_suffixes(srdiff_run, tmp_path):
    for name in ("p.jpg", "p.png", "q.png"):
        picture(tmp_path / "in" / name)
    srdiff_run("in", "-o", "out")
    assert names(tmp_path / "out") == {"p.jpg.png", "p.png.png", "q.png"}


def test_results_are_no_inputs(srdiff_run, tmp_path):
    picture(tmp_path / "p.png")
    srdiff_run("p.png")
    before = (tmp_path / "p_x4.png").read_bytes()
    again = srdiff_run("p.png", "p_x4.png")
    assert "left out, as results of other inputs: p_x4.png" in again.output and "exists; skipped" in again.output
    assert names(tmp_path) == {"p.png", "p_x4.png"} and (tmp_path / "p_x4.png").read_bytes() == before
    srdiff_run("p_x4.png")  # alone it is an image
    assert "p_x4_x4.png" in names(tmp_path)


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_a_target_that_is_an_input(srdiff_run, tmp_path, link):
    content = picture(tmp_path / "in.png")
    for overwrite in ([], ["--overwrite"]):
        refused = srdiff_run("in.png", "-o", "in.png", *overwrite, code=2)
        assert "would replace the input in.png" in refused.output
    if hasattr(Path, link):
        getattr(tmp_path / "other.png", link)(tmp_path / "in.png")
        assert "would replace" in srdiff_run("in.png", "-o", "other.png", "--overwrite", code=2).output
    assert (tmp_path / "in.png").read_bytes() == content


def test_the_inputs_own_folder_as_output(srdiff_run, tmp_path):
    content = picture(tmp_path / "b" / "p.png")
    srdiff_run("b", "-o", "b", "--overwrite")
    assert names(tmp_path) == {"b/p.png", "b/p_x4.png"} and (tmp_path / "b" / "p.png").read_bytes() == content


def test_each_target_by_itself(srdiff_run, tmp_path):
    picture(tmp_path / "in.png")
    srdiff_run("in.png")
    first = (tmp_path / "in_x4.png").read_bytes()
    result = srdiff_run("in.png", "--samples", "2", "--average", "--uncertainty")
    assert (tmp_path / "in_x4.png").read_bytes() == first
    assert "in_x4.png exists; kept" in result.output and "in_x4_uncertainty.png" in names(tmp_path)


@pytest.mark.parametrize("words", [[], ["--samples", "2"]])
def test_what_appears_while_one_image_is_made(srdiff_run, tmp_path, small_upscaler, monkeypatch, words):
    picture(tmp_path / "in.png")
    enlarge, name = small_upscaler.enlarge, "in_x4_2.png" if words else "in_x4.png"

    def enlarging(*arguments, **named):
        (tmp_path / name).write_bytes(b"theirs")
        return enlarge(*arguments, **named)

    monkeypatch.setattr(small_upscaler, "enlarge", enlarging)
    refused = srdiff_run("in.png", *words, code=2)
    assert refused.output.startswith(f"Error: in.png: {name} was made by another meanwhile and is kept; move it away")
    assert (tmp_path / name).read_bytes() == b"theirs" and names(tmp_path) - {"in_x4_1.png"} == {"in.png", name}
    srdiff_run("in.png", "--overwrite", *words)
    assert (tmp_path / name).read_bytes() != b"theirs"


def test_derived_names_collide_too(srdiff_run, tmp_path):
    picture(tmp_path / "in" / "y.png")
    picture(tmp_path / "in" / "y_1.png")
    result = srdiff_run("in", "-o", "out", "--samples", "2")
    assert "4 enlarged" not in result.output and len(names(tmp_path / "out")) == 4


def test_one_bad_file_stops_no_other(srdiff_run, tmp_path):
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no image")
    long = "c" * 250 + ".png"
    picture(tmp_path / "in" / long)
    picture(tmp_path / "in" / "d.png")
    result = srdiff_run(*sorted((tmp_path / "in").iterdir()), code=2)
    assert "2 enlarged, 0 skipped, 2 failed" in result.output
    errors = [line for line in result.output.splitlines() if line.startswith("Error")]
    assert "b.png" in errors[0] and "ccc" in errors[1]


def test_what_is_left_out_is_counted(srdiff_run, tmp_path):
    picture(tmp_path / "in" / "a.png")
    for name in ("a.cr2", "b.cr2", "c.jxl", "notes.txt"):
        (tmp_path / "in" / name).write_bytes(b"?")
    (tmp_path / "in" / "sub").mkdir()
    os.mkfifo(tmp_path / "in" / "pipe.png")  # reading it would wait for ever
    output = srdiff_run("in").output
    for part in ("2 camera raw", "1 JPEG XL", "1 other", "1 folder", "1 device or pipe", "--recursive"):
        assert part in output


def animation(path: Path, frames: int = 3) -> None:
    pictures = [Image.fromarray(PICTURE + np.uint8(80 * number)) for number in range(frames)]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], **{"lossless": True} if path.suffix == ".webp" else {}
    )


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_the_first_of_several_frames_is_said(srdiff_run, tmp_path, suffix):
    animation(tmp_path / f"a{suffix}")
    picture(tmp_path / "b.png")
    result = srdiff_run(f"a{suffix}", "b.png")
    said = [line for line in result.output.splitlines() if "first of" in line]
    assert said == [f"a{suffix}: this is the first of 3 frames (--all-frames takes all)"]
    assert names(tmp_path) == {f"a{suffix}", "a_x4.png", "b.png", "b_x4.png"}


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_all_frames(srdiff_run, tmp_path, suffix):
    (tmp_path / "in").mkdir()
    animation(tmp_path / "in" / f"a{suffix}")
    for number in range(3):
        picture(tmp_path / "single" / f"{number}.png", 80 * number)
    result = srdiff_run("in", "-o", "out", "--all-frames")
    assert "first of" not in result.output and "3 enlarged" in result.output
    assert names(tmp_path / "out") == {"a_f0001.png", "a_f0002.png", "a_f0003.png"}
    srdiff_run("single", "-o", "out")
    for number in range(3):
        frames = (
            np.asarray(Image.open(tmp_path / "out" / name)) for name in (f"a_f000{number + 1}.png", f"{number}.png")
        )
        np.testing.assert_array_equal(*frames)


def test_names_of_frames(srdiff_run, tmp_path):
    animation(tmp_path / "a.gif", 2)
    picture(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"no image")
    result = srdiff_run("a.gif", "b.png", "c.png", "--all-frames", "--json", code=2)
    records = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    assert [(record["input"], record["frame"], record["frames"]) for record in records] == [
        ("a.gif", 0, 2),
        ("a.gif", 1, 2),
        ("b.png", None, 1),
        ("c.png", None, 1),
    ]
    made = {"a_x4_f0001.png", "a_x4_f0002.png", "b_x4.png"}
    assert names(tmp_path) == {"a.gif", "b.png", "c.png"} | made
    again = srdiff_run(*sorted(names(tmp_path) - {"c.png"}), "--all-frames")
    assert "left out, as results of other inputs" in again.output and "0 enlarged, 3 skipped" in again.output
    srdiff_run("a.gif", "-o", "one.webp", "--all-frames", "--samples", "2")
    assert {f"one_f000{frame}_{sample}.webp" for frame in (1, 2) for sample in (1, 2)} <= names(tmp_path)
    assert "standard output takes one image and 2" in srdiff_run("a.gif", "-o", "-", "--all-frames", code=2).output
    assert "read once; give a file" in srdiff_run("-", "-o", "x.png", "--all-frames", code=2).output


def test_one_file_by_two_names_is_one_image(srdiff_run, tmp_path):
    picture(tmp_path / "in" / "b.png")
    picture(tmp_path / "c.png")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    (tmp_path / "d.png").symlink_to(tmp_path / "c.png")  # a name of its own has a result of its own
    words = ["in/b.png", tmp_path / "in" / "b.png", "in/../in/b.png", "link/b.png", "c.png", "d.png", "link", "./in"]
    assert "3 enlarged, 0 skipped, 0 failed" in srdiff_run(*words, "-o", "large/").output
    assert names(tmp_path / "large") == {"b.png", "c.png", "d.png"}


def test_the_present_folder(srdiff_run, tmp_path, monkeypatch):
    picture(tmp_path / "in" / "a.png")
    monkeypatch.chdir(tmp_path / "in")
    srdiff_run(".")
    assert names(tmp_path) == {"in/a.png", "in_x4/a.png"}


def test_output_that_does_not_fit(srdiff_run, tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    assert "name a folder" in srdiff_run("a.png", "b.png", "-o", "out.png", code=2).output
    assert "leave out one of them" in srdiff_run("a.png", "-o", "m.jpg", "--format", "png", code=2).output
    (tmp_path / "out.png").mkdir()
    srdiff_run("a.png", "b.png", "-o", "out.png")
    assert names(tmp_path / "out.png") == {"a.png", "b.png"}


def test_scale_size_crop_quality_suffix(srdiff_run, tmp_path):
    picture(tmp_path / "a.png")
    assert "30x24" not in srdiff_run("a.png").output
    assert "a_x3.png: 30x24 (shrunk)" in srdiff_run("a.png", "-s", "3").output
    assert "20x10 (shrunk)" in srdiff_run("a.png", "--size", "20x10", "-o", "s.png").output
    srdiff_run("a.png", "--crop", "2,1,8,4", "-o", "c.png")
    assert Image.open(tmp_path / "c.png").size == (32, 16)
    srdiff_run("a.png", "--quality", "20", "-o", "low.jpg")
    srdiff_run("a.png", "-o", "high.jpg")
    assert (tmp_path / "low.jpg").stat().st_size < (tmp_path / "high.jpg").stat().st_size / 2
    srdiff_run("a.png", "--suffix", "-large")
    assert (tmp_path / "a-large.png").exists()
    assert "the model enlarges 4 times" in srdiff_run("a.png", "-s", "5", "-o", "n.png", code=2).output
    assert "reaches out" in srdiff_run("a.png", "--crop", "4,0,8,4", "-o", "n.png", code=2).output
    assert "crop's width is 0" in srdiff_run("a.png", "--crop", "4,0,0,4", "-o", "n.png", code=2).output
    assert not (tmp_path / "n.png").exists()


def test_a_dry_run_writes_nothing(srdiff_run, tmp_path):
    picture(tmp_path / "a.png")
    assert "a.png -> a_x4.png" in srdiff_run("a.png", "--dry-run").output
    assert names(tmp_path) == {"a.png"}


def test_json_lines_and_quiet(srdiff_run, tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    result = srdiff_run("a.png", "b.png", "--json", "--quiet", code=2)
    lines = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    assert [line["status"] for line in lines] == ["done", "failed"]
    assert lines[0]["written"] == ["a_x4.png"] and "b.png is empty" in lines[1]["error"]
    assert "enlarged" not in result.output
    assert "name a file as output" in srdiff_run("a.png", "--json", "-o", "-", code=2).output


def test_options_are_typed_in_messages(srdiff_run, tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    assert "raise --max-pixels" in srdiff_run("a.png", "--max-pixels", "5", code=2).output
    assert srdiff_run("a.png", "b.png", "--max-pixels", "5", code=2).output.count("raise --max-pixels") == 2
    assert "add --samples 8" in srdiff_run("a.png", "--average", code=2).output


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Destination(suffix="a/b"), "no slash"),
        (lambda: Destination(format="gif"), "choose one of"),
        (lambda: JobSettings(scale=2, size=(4, 4)), "leave out one"),
        (lambda: JobSettings(quality=101), "1 to 100"),
        (lambda: JobSettings(size=(0, 4)), "size's width is 0"),
        (lambda: Crop(-1, 0, 1, 1), "crop's left is -1"),
        (lambda: Destination("-").jobs([Source(Path("a")), Source(Path("b"))], Wanted()), "takes one image"),
        (lambda: Destination("out/").jobs([Source(None)], Wanted()), "needs a file name"),
    ],
)
def test_values_check_themselves(make: Any, part: str) -> None:
    with pytest.raises(OptionError, match=part):
        make()


def test_a_device_is_no_finished_result(tmp_path: Path) -> None:
    from srdiff.jobs.targets import finished

    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    assert not finished(Path("/dev/null")) and not finished(tmp_path) and not finished(tmp_path / "s")
    with pytest.raises(OutputError, match="too long"):
        finished(tmp_path / ("n" * 300))
    server.close()
