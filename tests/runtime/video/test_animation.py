"""``srdiff-video`` of animated GIF, WebP and PNG: every picture at its time, as often, as transparent."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import skimage.data
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from srdiff.jobs.work import JobSettings
from srdiff.samplers import Sampler
from srdiff.upscaler import Upscaler
from srdiff.video.animation import FORMATS, _picture, _save, _ticked, enlarge_animation, read_animation

PHOTO = skimage.data.astronaut()
DURATIONS = [30, 120, 50, 200]


def pictures(alpha: bool = False) -> list[Image.Image]:
    """A window that moves, with a hole that moves."""
    made = []
    for number in range(len(DURATIONS)):
        view = PHOTO[60:76, 100 + 3 * number : 124 + 3 * number].copy()
        if alpha:
            hole = np.full(view.shape[:2], 255, np.uint8)
            hole[4:12, 4 * number : 4 * number + 8] = 0
            view = np.dstack([view, hole])
        made.append(Image.fromarray(view))
    return made


def animation(path: Path, frames: list[Image.Image], **options: Any) -> Path:
    usual = {".webp": {"lossless": True}, ".gif": {"disposal": 2}, ".png": {"disposal": 0, "blend": 0}}[path.suffix]
    options = {"duration": DURATIONS[: len(frames)], **usual, **options}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


def shown(path: Path) -> tuple[list[np.ndarray], list[float], Any]:
    """Pictures as RGBA, their milliseconds, and how often they come."""
    with Image.open(path) as image:
        frames, durations = [], []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            frames.append(np.asarray(image.convert("RGBA")))
            durations.append(image.info.get("duration"))
        return frames, durations, image.info.get("loop")


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("loop", [0, 3])
@pytest.mark.parametrize(("name", "result"), [("a.gif", "b.gif"), ("a.webp", "b.webp"), ("a.png", "b.png")])
def test_pictures_times_and_repetitions(
    name: str,
    result: str,
    loop: int,
    alpha: bool,
    srdiff_video: Callable[..., Result],
    upscaler: Upscaler,
    tmp_path: Path,
) -> None:
    source = animation(tmp_path / name, pictures(alpha), loop=loop)
    said = srdiff_video(source, tmp_path / result).output
    before, after = shown(source), shown(tmp_path / result)
    assert after[1:] == before[1:] == (DURATIONS, loop)
    assert [frame.shape for frame in after[0]] == [(64, 96, 4)] * 4
    for small, large in zip(before[0], after[0]):
        given = small if (small[..., 3] < 255).any() else small[..., :3]
        expected = np.dstack([upscaler.upscale(given, steps=1), np.full((64, 96), 255)])[..., :4].astype(int)
        if result == "b.gif":
            assert ((large[..., 3] == 255) == (expected[..., 3] >= 128)).all()
        else:
            assert (large[..., 3] == expected[..., 3]).all()
        visible = large[..., 3] > 0
        off = np.abs(large.astype(int) - expected)[visible]
        # 255 colours stand for the random network's wild ones; the others lose nothing.
        assert off.mean() < 20 if result == "b.gif" else off.max() == 0
    assert ("255 colours" in said) == (result == "b.gif")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@settings(max_examples=25)
@given(
    st.lists(st.sets(st.integers(0, 5), max_size=3), min_size=2, max_size=4),
    st.sampled_from([".gif", ".webp", ".png"]),
    st.integers(0, 2),
)
def test_holes_are_where_they_were_whichever_pictures_have_some(
    upscaler: Upscaler, tmp_path_factory: pytest.TempPathFactory, holes: list[set[int]], target: str, plays: int
) -> None:
    """Some pictures without any, among others with some; all differ."""
    place = tmp_path_factory.mktemp("holes")
    frames = []
    for number, columns in enumerate(holes):
        alpha = np.full((8, 48), 255, np.uint8)
        for column in columns:
            alpha[:, 8 * column : 8 * column + 8] = 0
        frames.append(Image.fromarray(np.dstack([PHOTO[60:68, 100 + number : 148 + number], alpha])))
    source = animation(place / "a.png", frames, duration=40, loop=plays)
    job = JobSettings(sampler=Sampler(steps=1))
    enlarge_animation(source, place / f"b{target}", upscaler, job, lambda *_: None)
    after, durations, _ = shown(place / f"b{target}")
    seen = [{column for column in range(6) if frame[16, 32 * column + 16, 3] == 0} for frame in after]
    assert (seen, durations) == (holes, [40] * len(holes))


def test_a_gif_that_does_not_repeat_does_not(srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    srdiff_video(animation(tmp_path / "a.gif", pictures()), tmp_path / "b.gif")
    srdiff_video(tmp_path / "a.gif", tmp_path / "b.webp")
    assert shown(tmp_path / "b.gif")[2] is None and shown(tmp_path / "b.webp")[1:] == (DURATIONS, 1)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_result_that_appears_meanwhile(
    overwrite: bool,
    srdiff_video: Callable[..., Result],
    upscaler: Upscaler,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stays without --overwrite."""
    target = tmp_path / "b.gif"

    def enlarge(*arguments: Any, **named: Any) -> Any:
        target.write_bytes(b"theirs")
        return Upscaler.enlarge(upscaler, *arguments, **named)

    monkeypatch.setattr(upscaler, "enlarge", enlarge)
    words = [animation(tmp_path / "a.gif", pictures()), target, *["--overwrite"] * overwrite]
    said = srdiff_video(*words, code=0 if overwrite else 2).output
    assert (target.read_bytes() == b"theirs") != overwrite
    assert ("b.gif was made by another meanwhile and is kept" in said) != overwrite
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "b.gif"]


def test_what_stands_still_in_a_gif_stays_still(srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    """One palette for all, and no dither that moves."""
    frames = []
    for number in range(4):
        view = PHOTO[60:84, 100:164].copy()
        view[8:16, 2 + number : 8 + number] = 255
        frames.append(Image.fromarray(view).quantize(palette=Image.fromarray(PHOTO).quantize(64), dither=0))
    srdiff_video(animation(tmp_path / "a.gif", frames, disposal=0), tmp_path / "b.gif")
    before, after = np.stack(shown(tmp_path / "a.gif")[0]), np.stack(shown(tmp_path / "b.gif")[0])
    assert np.ptp(before, axis=0)[:, 12:].max() == 0 and np.ptp(after, axis=0)[:, :48].max() > 0
    assert np.ptp(after, axis=0)[:, -48:].max() == 0


def test_what_a_format_does_not_hold_is_said(srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    source = animation(
        tmp_path / "a.webp", pictures(), icc_profile=b"profile" * 20, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
    )
    assert "not kept" not in srdiff_video(source, tmp_path / "b.webp").output
    with Image.open(tmp_path / "b.webp") as image:
        assert image.info["icc_profile"] == b"profile" * 20 and image.info["exif"]
    said = srdiff_video(source, tmp_path / "b.gif").output
    assert "ICC profile" in said and "EXIF" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("a.gif", "b.mp4"), "is an animation and stays one"),
        (("a.gif", "b.gif", "--start", 1), "leave it out"),
        (("a.gif", "b.gif", "--max-pixels", 100), "--max-pixels"),
        (("still.gif", "b.gif"), "srdiff-run enlarges it"),
        (("cut.gif", "b.gif"), "damaged or cut short"),
        (("cut.webp", "b.webp"), "damaged"),
        (("cut.png", "b.png"), "cut short"),
        (("text.gif", "b.gif"), "no image"),
        (("missing.gif", "b.gif"), "cannot be read"),
        (("a.gif", "a.gif", "--overwrite"), "is the input"),
    ],
)
def test_a_refusal_is_one_sentence(
    words: Any, sentence: str, srdiff_video: Callable[..., Result], tmp_path: Path
) -> None:
    animation(tmp_path / "a.gif", pictures())
    pictures()[0].save(tmp_path / "still.gif")
    for suffix in (".gif", ".webp", ".png"):
        data = animation(tmp_path / f"whole{suffix}", pictures()).read_bytes()
        (tmp_path / f"cut{suffix}").write_bytes(data[: len(data) * 2 // 3])
    (tmp_path / "text.gif").write_text("no picture")
    result = srdiff_video(tmp_path / words[0], tmp_path / words[1], *words[2:], code=2)
    assert sentence in result.output and result.output.startswith("Error: ") and result.output.count("\n") == 1
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(("b.", "."))]


def test_more_than_the_memory_holds_is_refused_before_the_work(
    srdiff_video: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = animation(tmp_path / "a.gif", pictures())
    for most in (24 * 16 * 4 * 4 * 4 - 1, 96 * 64 * 4 * 16 - 1):
        monkeypatch.setattr("srdiff.video.animation.usable_memory", lambda most=most: most)
        assert "fit into memory" in srdiff_video(source, tmp_path / "b.gif", code=2).output
    monkeypatch.setattr("srdiff.video.animation.usable_memory", lambda: 96 * 64 * 4 * 16)
    srdiff_video(source, tmp_path / "b.gif")


@pytest.mark.parametrize("source", [".gif", ".webp", ".png"])
@pytest.mark.parametrize("target", [".gif", ".webp", ".png"])
@pytest.mark.parametrize("plays", [0, 1, 2, 3, 7, 65535])
def test_the_whole_is_shown_as_often_whatever_the_format(plays: int, target: str, source: str, tmp_path: Path) -> None:
    said = {".gif": {"loop": plays - 1} if plays > 1 else {"loop": 0} if plays == 0 else {}}
    path = animation(tmp_path / f"a{source}", pictures()[:2], **said.get(source, {"loop": plays}))
    assert read_animation(path, 10_000).plays == plays
    large = read_animation(path, 10_000)
    _save([_picture(photo) for photo in large.photos], large, FORMATS[target], tmp_path / f"b{target}")
    expected = plays if target != ".gif" or plays == 0 else None if plays == 1 else plays - 1
    assert shown(tmp_path / f"b{target}")[2] == expected
    assert read_animation(tmp_path / f"b{target}", 10_000).plays == plays


def test_times_that_a_gif_cannot_say_are_the_nearest_and_said(
    srdiff_video: Callable[..., Result], tmp_path: Path
) -> None:
    source = animation(tmp_path / "a.webp", pictures(), duration=[33, 17, 9, 47])
    assert "times of its pictures (up to 4 ms off)" in srdiff_video(source, tmp_path / "b.gif").output
    assert shown(tmp_path / "b.gif")[1] == [30, 20, 10, 50]
    assert "times of" not in srdiff_video(source, tmp_path / "b.png").output
    assert shown(tmp_path / "b.png")[1] == [33, 17, 9, 47]


@given(st.lists(st.integers(0, 300), min_size=1))
def test_no_error_of_times_adds_up(durations: list[int]) -> None:
    ticked = _ticked([float(duration) for duration in durations], "GIF")
    assert all(time % 10 == 0 and (time > 0 or duration == 0) for time, duration in zip(ticked, durations))
    if min(durations) >= 10:
        assert all(abs(a - b) <= 5 for a, b in zip(accumulate(ticked), accumulate(durations)))


def test_more_repetitions_than_a_format_counts_are_said(srdiff_video: Callable[..., Result], tmp_path: Path) -> None:
    source = animation(tmp_path / "a.png", pictures()[:2], loop=100_000)
    assert "100000 repetitions (65535 are)" in srdiff_video(source, tmp_path / "b.webp").output
    assert "100000 repetitions (65536 are)" in srdiff_video(source, tmp_path / "b.gif").output
    assert "repetitions (" not in srdiff_video(source, tmp_path / "b.png").output
    assert [shown(tmp_path / f"b{suffix}")[2] for suffix in (".webp", ".gif", ".png")] == [65535, 65535, 100_000]
