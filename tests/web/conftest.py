"""The service's process and headless Chromium before it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from PIL import Image
from skimage import data

from ..service.conftest import wait_for
from ..service.process import Process
from .cutting import Cutting

sync_api = pytest.importorskip("playwright.sync_api", reason="the tests of the page need playwright")
# Nothing is looked up on the net; root has no sandbox.
ARGUMENTS = "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update"
SECONDS = 60


def photo(folder: Path, name: str, side: int = 64, top: int = 60) -> Path:
    """A part of a photograph, under any name whose format Pillow knows."""
    path = folder / name
    Image.fromarray(np.ascontiguousarray(data.astronaut()[top : top + side, 180 : 180 + side])).save(path)
    return path


def ready(process: Process) -> Process:
    wait_for(process.find_port)
    wait_for(lambda: process.ask("/readyz")[0] == 200)
    return process


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(tmp_path_factory.mktemp("served") / "log", "--tile", "96")
    try:
        yield ready(process)
    finally:
        process.kill()


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium; `make test-web` as root installs Debian's")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS.split())
        yield browser
        browser.close()


class Tab:
    """A page of the service in a window of its own; remembers what went wrong in it."""

    def __init__(self, browser: Any, served: Process | Cutting, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.context.set_default_timeout(1000 * SECONDS)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self._note(message))
        self.page.goto(f"http://127.0.0.1:{served.port}/")

    def _note(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    def choose(self, *paths: Path) -> None:
        self.page.set_input_files("#files", list(paths))

    def set(self, **settings: object) -> None:
        for name, value in settings.items():
            field = self.page.locator(f"[name={name}]")
            field.select_option(str(value)) if name in ("model", "preset", "format") else field.fill(str(value))

    def wait(self, selector: str) -> Any:
        return self.page.wait_for_selector(selector, state="attached")

    def split(self) -> float:
        """Where the line is, in percent."""
        return float(
            self.page.evaluate("parseFloat(document.getElementById('stage').style.getPropertyValue('--split'))")
        )

    def download(self) -> tuple[str, bytes]:
        with self.page.expect_download() as started:
            self.page.click("#download")
        return started.value.suggested_filename, Path(started.value.path()).read_bytes()


@pytest.fixture
def tab(browser: Any, served: Process) -> Iterator[Tab]:
    tab = Tab(browser, served)
    yield tab
    tab.context.close()
    assert not tab.faults
