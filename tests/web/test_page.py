"""The page as a person has it: a photo dropped, looked at while it runs, compared, taken home."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..service.process import Process
from .conftest import Tab, photo

PREVIEW, RESULT = "#after[data-kind=preview][src]", "#after[data-kind=result][src]"
DROP = """([name, content]) => {
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.getElementById("drop").dispatchEvent(
      new DragEvent(kind, {dataTransfer: files, bubbles: true, cancelable: true}));
}"""
PASTE = DROP.replace('["dragenter", "dragover", "drop"]', '["paste"]').replace(
    "DragEvent(kind, {dataTransfer", "ClipboardEvent(kind, {clipboardData"
)
PLACES = "['before', 'after'].map((id) => JSON.stringify(document.getElementById(id).getBoundingClientRect()))"


def by_command(path: Path, *options: str) -> bytes:
    """What ``srdiff-run`` makes of it on the same engine."""
    command = [sys.executable, "-m", "srdiff", str(path), "-o", "-", "--engine", "onnxruntime", "--tile", "96"]
    return subprocess.run([*command, *options], check=True, capture_output=True).stdout


def test_dropped_looked_at_compared_and_taken_home(tab: Tab, tmp_path: Path) -> None:
    path = photo(tmp_path, "in.png", 96)  # so that a fast machine, too, is seen at work
    tab.wait("#limits:not(:empty)")
    tab.set(model="small-v1", seed=7)
    tab.page.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])
    tab.wait(PREVIEW)
    assert "of 20" in tab.page.inner_text("li .words")  # of ten steps in two windows
    move_the_line(tab)
    tab.wait(RESULT)
    move_the_line(tab)
    name, content = tab.download()
    assert name == "in_x4.png" and content == by_command(path, "--seed", "7", "--model", "small-v1")
    assert "seed 7" in tab.page.inner_text("#facts")


def move_the_line(tab: Tab) -> None:
    """By mouse and by keys."""
    stage = tab.page.locator("#stage").bounding_box()
    assert stage
    middle = stage["y"] + stage["height"] / 2
    tab.page.mouse.move(stage["x"] + stage["width"] * tab.split() / 100, middle)
    tab.page.mouse.down()
    tab.page.mouse.move(stage["x"] + stage["width"] * 0.25, middle, steps=5)
    tab.page.mouse.up()
    assert tab.split() == pytest.approx(25, abs=1)
    tab.page.focus("#split")
    for _ in range(4):
        tab.page.keyboard.press("ArrowRight")
    assert tab.split() == pytest.approx(27, abs=1)
    tab.page.keyboard.press("Home")
    assert tab.split() == 0


def test_without_a_mouse(tab: Tab, tmp_path: Path) -> None:
    tab.wait("#limits:not(:empty)")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.id") == "files"
    with tab.page.expect_file_chooser() as chooser:
        tab.page.keyboard.press("Space")
    chooser.value.set_files(photo(tmp_path, "in.png", 48))
    tab.wait(RESULT)
    while tab.page.evaluate("document.activeElement.id") != "stage":
        tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("1")
    whole = tab.page.evaluate(PLACES)
    assert whole[0] == whole[1] and '"width":192' in whole[0]
    for _ in range(20):
        tab.page.keyboard.press("+")
    tab.page.keyboard.press("ArrowRight")
    moved = tab.page.evaluate(PLACES)
    assert moved[0] == moved[1] != whole[0], "the layers are apart"
    tab.page.keyboard.press("0")
    while tab.page.evaluate("document.activeElement.id") != "download":
        tab.page.keyboard.press("Tab")
    with tab.page.expect_download():
        tab.page.keyboard.press("Enter")


def test_several_with_samples_and_what_is_invented(tab: Tab, tmp_path: Path) -> None:
    paths = [photo(tmp_path, f"{number}.png", 24, 40 * number) for number in range(3)]
    tab.wait("#limits:not(:empty)")
    tab.set(samples=2, format="webp")
    tab.choose(*paths)
    tab.wait("li[data-state=done] >> nth=2")
    assert not tab.page.is_visible("#doubt")
    tab.page.click("#invented")
    tab.page.wait_for_selector("#doubt", state="visible")
    assert "Orange" in tab.page.inner_text("#legend")
    first = tab.download()
    tab.page.select_option("#part", "2")
    second = tab.download()
    assert (first[0], second[0]) == ("0_x4_1.webp", "0_x4_2.webp") and first[1] != second[1]
    tab.page.click("li:nth-child(3) .show")
    assert tab.page.get_attribute("li:nth-child(3)", "aria-current") == "true"
    assert tab.download()[0] == "2_x4_2.webp"
    tab.page.click("li:nth-child(3) .remove")
    assert tab.page.locator("li").count() == 2


def test_windows_of_a_model_of_one_step_appear(tab: Tab, tmp_path: Path) -> None:
    tab.wait("#limits:not(:empty)")
    assert tab.page.input_value("[name=model]") == "photo" and tab.page.is_visible("#dial")
    tab.set(model="small-v1")
    assert not tab.page.is_visible("#dial")
    tab.set(model="clean", fidelity=0.5)
    assert tab.page.is_disabled("[name=preset]") and tab.page.is_visible("#dial")
    tab.choose(photo(tmp_path, "in.png", 140))
    tab.wait(PREVIEW)
    windows = int(tab.page.inner_text("li .words").split(" of ")[1].split(",")[0])
    assert windows == 4
    tab.wait(RESULT)
    assert "fidelity 0.5" in tab.page.inner_text("#facts")


def test_a_pasted_photo_is_cancelled_and_made_again(tab: Tab, tmp_path: Path, served: Process) -> None:
    path = photo(tmp_path, "in.jpg", 48)
    tab.wait("#limits:not(:empty)")
    tab.set(model="small-v1")
    tab.set(preset="full")
    tab.page.evaluate(PASTE, [path.name, base64.b64encode(path.read_bytes()).decode()])
    tab.wait(PREVIEW)
    tab.page.click("li .cancel")
    tab.wait("li[data-state=cancelled]")
    while served.metric("srdiff_running"):
        pass
    tab.set(preset="fast")
    tab.page.click("li .again")
    tab.wait(RESULT)


def test_what_a_browser_cannot_show(tab: Tab, tmp_path: Path) -> None:
    """HEIC and TIFF are shown by way of the service; what is no picture is refused with its reason."""
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    broken = tmp_path / "broken.heic"
    broken.write_bytes(photo(tmp_path, "whole.heic", 32).read_bytes()[:200])
    tab.choose(photo(tmp_path, "phone.heic", 32), photo(tmp_path, "scan.tiff", 32), broken)
    tab.wait("li[data-state=done] >> nth=1")
    tab.wait("li[data-state=failed]")
    assert tab.page.evaluate("document.getElementById('before').naturalWidth") == 32
    assert "broken.heic" in tab.page.inner_text("li[data-state=failed] .words")


def test_on_a_phone_in_the_dark(browser: Any, served: Process, tmp_path: Path) -> None:
    narrow = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "color_scheme": "dark"}
    tab = Tab(browser, served, **narrow)
    tab.choose(photo(tmp_path, "a rather long name of a photograph that was taken by a phone.png", 32))
    tab.wait(RESULT)
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 360
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(23, 22, 20)"
    stage = tab.page.locator("#stage").bounding_box()
    assert stage
    tab.page.touchscreen.tap(stage["x"] + 0.75 * stage["width"], stage["y"] + 0.2 * stage["height"])
    assert tab.split() == pytest.approx(75, abs=1)
    tab.context.close()
    assert not tab.faults


def test_a_result_stays_until_there_is_another(tab: Tab, tmp_path: Path) -> None:
    """Whatever is wrong with the settings, or is cancelled, or never came to a result."""
    tab.wait("#limits:not(:empty)")
    tab.set(model="small-v1")
    tab.choose(photo(tmp_path, "in.png", 48))
    tab.wait(RESULT)
    first = tab.download()
    tab.set(seed="")
    tab.page.click("li .again")
    assert tab.download() == first and tab.page.is_visible("li[data-state=done]")
    tab.set(seed=1, preset="full", format="webp")
    tab.page.click("li .again")
    tab.wait(PREVIEW)
    tab.page.click("li .cancel")
    tab.wait("li[data-state=cancelled]")
    assert tab.download() == first
    tab.set(preset="fast")
    tab.page.click("li .again")
    tab.wait(RESULT)
    second = tab.download()
    assert second[0] == "in_x4.webp" and second[1] != first[1]


def test_leaving_is_asked_about_while_a_result_is_not_at_home(tab: Tab, tmp_path: Path) -> None:
    asks = "!window.dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    tab.wait("#limits:not(:empty)")
    assert not tab.page.evaluate(asks)
    tab.choose(photo(tmp_path, "in.png", 24))
    tab.wait(RESULT)
    assert tab.page.evaluate(asks)
    tab.download()
    assert not tab.page.evaluate(asks)


def test_a_file_that_cannot_be_read_is_refused_and_blocks_nobody(tab: Tab, tmp_path: Path) -> None:
    held: list[Any] = []
    tab.page.route("**/v1/models", lambda route: held.append(route))
    with tab.page.expect_request("**/v1/models"):
        tab.page.reload()
    gone = [photo(tmp_path, f"{number}.png", 24) for number in range(3)]
    tab.choose(*gone, photo(tmp_path, "there.png", 24))
    for path in gone:
        path.unlink()
    held.pop().continue_()
    tab.wait("li[data-state=done]")
    assert tab.page.locator("li[data-state=failed] .words").all_inner_texts() == ["cannot be read; choose it again"] * 3


@pytest.mark.parametrize("path", ["/v1/jobs?*", "/events", "/result?*"])
@pytest.mark.parametrize("status", [429, 502])
def test_what_passes_is_waited_for(tab: Tab, tmp_path: Path, path: str, status: int) -> None:
    """A proxy's answer among them, which is no problem document."""
    refused: list[str] = []

    def once(route: Any) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=status, headers={"Retry-After": "1"}, body="<html>later</html>")

    tab.wait("#limits:not(:empty)")
    tab.page.route(f"**{path}", once)
    tab.set(seed=status)
    tab.choose(photo(tmp_path, "in.png", 16))
    tab.wait("li[data-state=done]")
    assert refused


def test_buttons_say_of_which_photo_and_keep_the_focus(tab: Tab, tmp_path: Path) -> None:
    focused = "document.activeElement.ariaLabel ?? document.activeElement.innerText"
    tab.wait("#limits:not(:empty)")
    assert tab.page.get_by_role("spinbutton", name="Seed", exact=True).count() == 1
    tab.set(model="small-v1")
    tab.set(preset="full")
    tab.choose(photo(tmp_path, "a.png", 48), photo(tmp_path, "b.png", 16))
    tab.page.get_by_role("progressbar", name="a.png").wait_for()
    tab.page.get_by_role("button", name="Cancel a.png").press("Enter")
    tab.wait("li[data-state=cancelled]")
    assert tab.page.evaluate(focused) == "Again a.png"
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate(focused) == "Cancel a.png"
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("button", name="Remove a.png").press("Enter")
    assert tab.page.evaluate(focused) == "b.png"
    tab.page.get_by_role("button", name="Cancel b.png").click()
    tab.page.get_by_role("button", name="Remove b.png").press("Enter")
    assert tab.page.evaluate("document.activeElement.id") == "files"


def test_two_photos_that_differ_in_their_ending_have_names_of_their_own(tab: Tab, tmp_path: Path) -> None:
    tab.wait("#limits:not(:empty)")
    tab.choose(photo(tmp_path, "in.png", 16), photo(tmp_path, "in.jpg", 16))
    tab.wait("li[data-state=done] >> nth=1")
    names = set()
    for entry in tab.page.locator("li .show").all():
        entry.click()
        names.add(tab.download()[0])
    assert names == {"in.png_x4.png", "in.jpg_x4.png"}
