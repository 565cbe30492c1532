"""What an error says of a file is the file's name, and what it says of an option is what is typed."""

from __future__ import annotations

import os
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from srdiff import ImageError, OptionError
from srdiff.atomic_files import require_writable
from srdiff.bundle import Bundle
from srdiff.commands.command import Command, apart
from srdiff.diversity import Wanted
from srdiff.errors import BundleError, OutputError
from srdiff.jobs.sources import Source
from srdiff.jobs.targets import Destination, finished
from srdiff.model_names import bundle_folder

from .in_process import picture
from .test_atomic_files import unprivileged

NAME = st.lists(st.sampled_from(["all_frames", "seed=7", "max_pixels", " ", "/", ".", "a", "ü", "-"]), min_size=1)
LONG = "n" * 300


def said(error: Exception, *words: str) -> str:
    """By a command that was typed with these words."""

    @click.command(cls=Command)
    @click.argument("inputs", nargs=-1)
    @click.option("--max-pixels", "max_pixels")
    @click.option("--all-frames", "all_frames", is_flag=True)
    @click.option("--seed", "seed")
    def command(**_: object) -> None:
        raise error

    return CliRunner().invoke(command, ["--", *words]).output


@settings(max_examples=300, deadline=None)
@given(parts=NAME)
def test_a_files_name_is_as_it_was_typed(parts):
    name = "".join(parts)
    sentence = said(ImageError(f"{name} is no image, {name}; give another"), name)
    assert sentence == f"Error: {name} is no image, {name}; give another\n"


@given(parts=NAME)
def test_a_sentence_is_put_together_again(parts):
    sentence = "".join(parts)
    for words in ((), ("a",), (sentence,)):
        pieces, names = apart(sentence, words)
        assert len(pieces) == len(names) + 1
        assert "".join(piece + name for piece, name in zip(pieces, [*names, ""])) == sentence


def test_options_are_as_they_are_typed_beside_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    advice = "is 9x9 and max_pixels is 5 (seed=7); raise max_pixels"
    typed = "is 9x9 and --max-pixels is 5 (--seed 7); raise --max-pixels"
    for name in ("in.png", "all_frames/seed=7.png", "a/b seed=7_x4.png"):
        assert said(OptionError(f"{name} {advice}")) == f"Error: {name} {typed}\n"
    (tmp_path / "my all_frames").mkdir()
    (tmp_path / "my all_frames" / "no all_frames here").touch()  # found in the folder that was typed
    name = "my all_frames/no all_frames here"
    assert said(OptionError(f"{name} {advice}"), "my all_frames/") == f"Error: {name} {typed}\n"


def test_names_through_the_command(srdiff_run, tmp_path):
    (tmp_path / "all_frames").mkdir()
    (tmp_path / "all_frames" / "seed=7.png").write_bytes(b"no image")
    for words in (["all_frames/seed=7.png"], ["all_frames"]):
        assert "Error: all_frames/seed=7.png is no image" in srdiff_run(*words, code=2).output


@pytest.mark.parametrize("words", [["-o", LONG], ["-o", f"{LONG}/"], ["-o", f"{LONG}.png"], ["b.png", "-o", LONG]])
def test_a_name_that_is_too_long(srdiff_run, tmp_path, words):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    for more in ([], ["--overwrite"]):
        output = srdiff_run("a.png", *words, *more, code=2).output
        assert "unexpected" not in output and "a.png failed" not in output and "Error: " in output


@pytest.fixture
def locked(tmp_path_factory: pytest.TempPathFactory):
    """A folder that may not be entered, though it holds a model."""
    folder = tmp_path_factory.mktemp("locked")
    bundle = folder / "mine.srdiff"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")
    for parent in [folder, *folder.parents]:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    folder.chmod(0o600)
    yield folder
    folder.chmod(0o700)


def test_models_where_one_may_not_look(locked, monkeypatch):
    """Without them the others are found."""
    monkeypatch.setenv("SRDIFF_MODELS", str(locked))
    with unprivileged():
        assert bundle_folder("clean").name == "clean.srdiff"
        for model in (locked / "mine.srdiff", LONG):
            with pytest.raises(
                BundleError, match=r"no bundle, as it cannot be looked into \((Perm|File).*; give one of"
            ):
                bundle_folder(model)
        with pytest.raises(BundleError, match=r"cannot be read \(Permission denied\); give a bundle that you may read"):
            Bundle(locked)


def test_outputs_where_one_may_not_look(locked):
    sources = [Source(Path("a.png")), Source(Path("b.png"))]
    with unprivileged():
        for output in (f"{locked}/b.png", f"{locked}/b/", f"{locked}/b", f"{LONG}.png", f"{LONG}/"):
            count = 1 if output.endswith(".png") else 2
            target = Destination(output).jobs(sources[:count], Wanted())[0].target
            assert target is not None
            for look in (finished, require_writable):
                with pytest.raises(
                    OutputError, match=r"cannot be written \((Permission denied|File name too long)\); "
                ):
                    look(target)


def test_a_dry_run_goes_on_after_a_name_that_cannot_be_one(srdiff_run, tmp_path):
    for name in ("a", "b" * 250, "c"):
        picture(tmp_path / f"{name}.png")
    output = srdiff_run("a.png", "b" * 250 + ".png", "c.png", "--dry-run").output
    assert "a.png -> a_x4.png" in output and "c.png -> c_x4.png" in output and output.count("too long") == 1


def test_a_link_into_a_folder_that_is_not_there(srdiff_run, tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to("new/deeper/real.png")
    srdiff_run("a.png", "-o", "link.png")
    assert (tmp_path / "link.png").is_symlink() and (tmp_path / "new" / "deeper" / "real.png").is_file()


def test_a_link_into_a_file(srdiff_run, tmp_path, small_upscaler, monkeypatch):
    """Refused before the work."""
    picture(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to("a.png/real.png")
    monkeypatch.setattr(small_upscaler, "enlarge", lambda *_, **__: pytest.fail("the work was done"))
    assert "link.png cannot be written (Not a directory)" in srdiff_run("a.png", "-o", "link.png", code=2).output


@pytest.mark.parametrize(
    ("shape", "words", "refused"),
    [
        ((2, 17000), ["--size", "40x8"], False),
        ((4, 9000), ["-s", "2"], True),
        ((4, 9000), ["-s", "1"], False),
        ((4, 9000), ["--size", "16383x8"], False),
        ((4, 9000), ["--size", "16384x8"], True),
        ((4, 9000), [], True),
    ],
)
def test_what_a_format_holds_is_asked_of_the_result(
    srdiff_run, tmp_path, small_upscaler, monkeypatch, shape, words, refused
):
    Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(tmp_path / "a.png")
    began = []

    def enlarge(photo, *_, **__):
        began.append(photo)
        height, width = photo.pixels.shape[:2]
        return photo.enlarged(np.zeros((4 * height, 4 * width, 3), np.uint8), None)

    monkeypatch.setattr(small_upscaler, "enlarge", enlarge)
    output = srdiff_run("a.png", "-o", "a.webp", *words, code=2 if refused else 0).output
    assert ("webp ends at 16383" in output) == refused and bool(began) != refused
