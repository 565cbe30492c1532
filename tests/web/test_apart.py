"""The page before a service that wants a token, or dies."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ..service.process import Process
from .conftest import Tab, photo, ready
from .cutting import Cutting


def test_a_token_is_asked_for_once(browser: Any, tmp_path: Path) -> None:
    process = Process(tmp_path / "log", "--model", "small-v1", SRDIFF_TOKEN="secret of the test")
    try:
        ready(process)
        tab = Tab(browser, process)
        for given in ("wrong", "secret of the test"):
            tab.page.wait_for_selector("#asked[open]")
            tab.page.fill("#token", given)
            tab.page.keyboard.press("Enter")
        tab.wait("#limits:not(:empty)")
        tab.choose(photo(tmp_path, "in.png", 32))
        tab.wait("li[data-state=done]")
        tab.download()  # or leaving would be asked about
        tab.page.reload()
        tab.wait("#limits:not(:empty)")
        assert not tab.page.is_visible("#asked")
        assert not tab.faults and "secret" not in process.log.read_text()
    finally:
        process.kill()


def test_a_token_that_no_header_holds(browser: Any, tmp_path: Path) -> None:
    process = ready(Process(tmp_path / "log", "--model", "small-v1", SRDIFF_TOKEN="secret"))
    try:
        tab = Tab(browser, process)
        for given in ("sec\u200bret", "\u5bc6\u7801"):
            tab.page.wait_for_selector("#asked[open]")
            tab.page.fill("#token", given)
            tab.page.keyboard.press("Enter")
            tab.page.wait_for_selector("text=other characters")
        tab.page.fill("#token", " secret ")
        tab.page.keyboard.press("Enter")
        tab.wait("#limits:not(:empty)")
        tab.page.evaluate("sessionStorage.setItem('token', '\u5bc6')")  # by an earlier version
        tab.page.reload()
        tab.page.wait_for_selector("#asked[open]")
        assert not tab.faults
    finally:
        process.kill()


@pytest.mark.parametrize(("part", "posts"), [("/result?", 1), ("/v1/jobs?", 2)])
def test_an_answer_that_is_cut_off_is_asked_for_again(
    browser: Any, served: Process, tmp_path: Path, part: str, posts: int
) -> None:
    way = Cutting(served.port, part)
    try:
        tab = Tab(browser, way)
        tab.wait("#limits:not(:empty)")
        tab.choose(photo(tmp_path, "in.png", 40 + posts))
        tab.wait("li[data-state=done]")
        assert sum(line.startswith("POST /v1/jobs?") for line in way.asked) == posts
        assert tab.download()[0] == "in_x4.png" and not tab.faults
        tab.context.close()
    finally:
        way.close()


def test_a_photo_that_is_too_large_is_shrunk_first(browser: Any, tmp_path: Path) -> None:
    process = ready(Process(tmp_path / "log", "--model", "clean", "--max-pixels", "2304"))
    try:
        tab = Tab(browser, process)
        tab.wait("#limits:not(:empty)")
        tab.choose(photo(tmp_path, "in.jpg", 64))
        tab.wait("li[data-state=failed]")
        said = tab.page.inner_text("li .words").replace("\u00d7", "x")
        assert "with 64x64 pixels; shrunk to 48x48 first, it becomes 192x192" in said
        tab.page.click("li .shrink")
        tab.wait("li[data-state=done]")
        assert not tab.page.is_visible("li .shrink") and "shrunk to 48x48 first" in tab.page.inner_text("#facts")
        name, content = tab.download()
        assert name == "in_larger.png" and Image.open(io.BytesIO(content)).size == (192, 192) and not tab.faults
    finally:
        process.kill()


def test_a_killed_service_comes_back(browser: Any, tmp_path: Path) -> None:
    """The photo is sent again, to the new process under the old address."""
    first = ready(Process(tmp_path / "log", "--model", "small-v1"))
    second = None
    try:
        tab = Tab(browser, first)
        tab.wait("#limits:not(:empty)")
        tab.choose(photo(tmp_path, "in.png", 128))
        tab.wait("#after[data-kind=preview][src]")
        first.kill()
        tab.page.wait_for_selector("text=does not answer")
        second = Process(tmp_path / "log2", "--model", "small-v1", "--port", str(first.port))
        tab.wait("li[data-state=done]")
        assert tab.download()[0] == "in_x4.png" and not tab.faults
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
