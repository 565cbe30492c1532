"""``srdiff-models add`` from an address: checked, resumed, and never taken unasked."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator
from unittest import mock

import pytest

from srdiff.model_names import bundle_folder

from .adding import Models, zipped


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """An address of ``tmp_path/site`` whose server knows ranges and breaks off once where a file ``cut`` says so."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            content = (folder / self.path.strip("/")).read_bytes()
            asked = int((self.headers["Range"] or "bytes=0-")[len("bytes=") : -1])
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(content) - asked))
            self.end_headers()
            cut = folder / "cut"
            end = len(content) // 2 if cut.exists() else len(content)
            if cut.exists():
                cut.unlink()
            self.wfile.write(content[asked:end])

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_is_refused_of_an_address_leaves_nothing(models: Models, store: Path, site: str, tmp_path: Path) -> None:
    content = zipped(tmp_path / "site" / "up.zip", inside="../").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    for url, stated, words in (
        ("http://127.0.0.1:1/up.zip", sha256, "was not fetched"),
        (f"{site}/up.zip", "0" * 64, "do not use it"),
        (f"{site}/up.zip", sha256, "no zip of one bundle"),
    ):
        assert words in models("add", url, "--sha256", stated, code=2)
        assert not store.exists()


def test_an_address_is_checked_resumed_and_never_taken_unasked(
    models: Models, store: Path, site: str, tmp_path: Path
) -> None:
    file = zipped(tmp_path / "site" / "far.srdiff.zip")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    url = f"{site}/far.srdiff.zip"
    assert "--sha256" in models("add", url, code=2)
    assert "64 hexadecimal" in models("add", url, "--sha256", "abc", code=2)
    assert "must begin with https" in models("add", f"file://{file}", "--sha256", sha256, code=2)
    assert not store.exists()
    (tmp_path / "site" / "cut").touch()
    assert "goes on where it stopped" in models("add", url, "--sha256", sha256, code=2)
    (part,) = store.iterdir()
    assert 0 < part.stat().st_size < file.stat().st_size
    half = part.read_bytes()
    models("add", url, "--sha256", sha256)
    assert bundle_folder("far") == store / "far.srdiff" and list(store.iterdir()) == [store / "far.srdiff"]
    part.write_bytes(half[:-1] + b"?")  # what lies here is not what was sent
    assert "do not use it" in models("add", url, "--name", "again", "--sha256", sha256, code=2)
    models("add", url, "--name", "again", "--sha256", sha256)
    assert "was not fetched" in models("add", "http://127.0.0.1:1/x.zip", "--sha256", sha256, code=2)


@pytest.mark.parametrize("where", ["urllib.request.urlopen", "http.client.HTTPResponse.read"])
@pytest.mark.parametrize("error", [ssl.SSLError(1, "bad record mac"), socket.timeout("timed out"), OSError(65, "no")])
def test_a_connection_that_fails_is_not_called_unwritable(
    where: str, error: OSError, models: Models, store: Path, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = zipped(tmp_path / "site" / "far.zip")
    monkeypatch.setattr(where, mock.Mock(side_effect=error))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert "was not fetched: " in models("add", f"{site}/far.zip", "--sha256", sha256, code=2)


@pytest.mark.parametrize(
    "url", ["http://[", "http://a..b/x.zip", "http://127.0.0.1:1/ü.zip", "http://127.0.0.1:x/x.zip"]
)
def test_what_is_no_address_is_a_sentence(url: str, models: Models, store: Path) -> None:
    assert "which is no address" in models("add", url, "--name", "far", "--sha256", "0" * 64, code=2)
    assert not store.exists()
