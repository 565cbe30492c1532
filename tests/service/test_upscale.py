"""One image in, one out: the bytes of srdiff-run, and what is refused."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage import data
from starlette.testclient import TestClient

from srdiff.commands.run import main
from srdiff.resize import bicubic
from srdiff.service.answers import header_text
from srdiff.service.room import fitting_size
from srdiff.service.service import Service
from srdiff.service.speed import Speed

from .conftest import encoded, png


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("steps=2&seed=7", ["--steps", "2", "--seed", "7"]),
        ("model=clean&consistency=true", ["--model", "clean", "--consistency"]),
        ("sampler=dpm%2B%2B&steps=2&scale=2&format=webp", ["--sampler", "dpm++", "--steps", "2", "-s", "2"]),
        ("steps=1&samples=2&average=on", ["--steps", "1", "--samples", "2", "--average"]),
    ],
)
def test_the_bytes_of_srdiff_run(client: TestClient, tmp_path: Path, query: str, options: list[str]) -> None:
    source = tmp_path / "in.png"
    source.write_bytes(png())
    target = tmp_path / ("out.webp" if "webp" in query else "out.png")
    fixed = [str(source), "-o", str(target), "--model", "small-v1", "--engine", "onnxruntime"]
    ran = CliRunner().invoke(main, [*fixed, *options])
    assert ran.exit_code == 0, ran.output
    answer = client.post(f"/v1/upscale?{query}", content=png())
    assert answer.status_code == 200, answer.text
    assert answer.content == target.read_bytes()


def test_a_form_is_the_same_as_a_body(client: TestClient) -> None:
    raw = client.post("/v1/upscale?steps=2&seed=3", content=png())
    form = client.post("/v1/upscale", data={"steps": "2", "seed": "3"}, files={"image": ("a.png", png())})
    assert raw.status_code == form.status_code == 200
    assert raw.content == form.content and raw.headers["srdiff-digest"] == form.headers["srdiff-digest"]


def test_headers_say_how_it_was_made(client: TestClient) -> None:
    headers = client.post("/v1/upscale?steps=2&seed=5", content=png()).headers
    assert headers["srdiff-seed"] == "5" and headers["srdiff-engine"] == "onnxruntime"
    assert headers["srdiff-precision"] == "fp32" and "2 steps" in headers["srdiff-sampler"]
    assert headers["srdiff-size"] == "64x64" and float(headers["srdiff-seconds"]) > 0
    assert len(headers["srdiff-bundle-sha256"]) == len(headers["srdiff-digest"]) == 64
    assert headers["x-request-id"] and headers["x-content-type-options"] == "nosniff"


def test_facts_that_headers_cannot_hold(client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "照片 100%\r\n"
    monkeypatch.setitem(service.models, name, service.models["clean"])
    monkeypatch.setitem(service._workers[0], name, service.upscaler("clean"))
    monkeypatch.setitem(service._speeds, name, Speed())
    answer = client.post("/v1/upscale", params={"model": name}, content=png())
    assert answer.status_code == 200 and answer.headers["srdiff-model"] == "%E7%85%A7%E7%89%87 100%25%0D%0A"
    assert unquote(answer.headers["srdiff-model"]) == name
    job = client.post("/v1/jobs", params={"model": name}, content=png()).json()
    assert job["result"]["facts"]["SRDiff-Model"] == name
    assert client.get(f"/v1/jobs/{job['id']}/result").content == answer.content


@pytest.mark.parametrize("text", ["", " a  b ", "ümlaut", "\ud800", "a\tb"])
def test_any_text_becomes_a_header(text: str) -> None:
    said = header_text(text)
    assert re.fullmatch(r"([!-~]([ -~]*[!-~])?)?", said)
    assert unquote(said, errors="surrogatepass") == text


def test_a_result_is_kept_under_its_digest(client: TestClient) -> None:
    made = client.post("/v1/upscale?steps=2&seed=6", content=png())
    address = f"/v1/results/{made.headers['srdiff-digest']}"
    again = client.get(address)
    assert again.content == made.content and again.headers["content-type"] == "image/png"
    assert client.get(address, headers={"If-None-Match": again.headers["etag"]}).status_code == 304
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    for known in ("W/{}", '"other", {}', 'W/"a,b",W/{}', "*"):
        said = {"If-None-Match": known.format(again.headers["etag"])}
        assert client.get(address, headers=said).status_code == client.head(address, headers=said).status_code == 304
    other = client.post("/v1/upscale?steps=2&seed=8", content=png())
    assert other.headers["srdiff-digest"] != made.headers["srdiff-digest"]
    assert client.get("/v1/results/" + "0" * 64).status_code == 404


def test_the_same_again_is_not_made_again(client: TestClient, service: Service) -> None:
    first = client.post("/v1/upscale?steps=2&seed=9", content=png())
    steps = steps_done(service)
    assert client.post("/v1/upscale?steps=2&seed=9", content=png()).content == first.content
    assert steps_done(service) == steps
    # The default preset under its own name is the same wish.
    client.post("/v1/upscale", content=png())
    steps = steps_done(service)
    client.post("/v1/upscale?preset=fast", content=png())
    assert steps_done(service) == steps


def steps_done(service: Service) -> float:
    return service.metrics.registry.get_sample_value("srdiff_step_seconds_count", {"model": "small-v1"}) or 0.0


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        (None, "PNG"),
        ("*/*", "PNG"),
        ("image/webp,image/*;q=0.8", "WEBP"),
        ("text/html, image/jpeg", "JPEG"),
        ("image/png;q=0.1, image/jpeg;q=0.2", "JPEG"),
    ],
)
def test_accept_chooses_the_format(client: TestClient, accept: str | None, format: str) -> None:
    headers = {"Accept": accept} if accept else {}
    answer = client.post("/v1/upscale?steps=1", content=png(), headers=headers)
    assert Image.open(io.BytesIO(answer.content)).format == format


def bomb() -> bytes:
    """A PNG that says to be 60000 x 60000 and holds nothing."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


REFUSED = [
    ("", b"", 422, "image", "empty"),
    ("", b"no image at all", 422, "image", "damaged"),
    ("", png()[:200], 422, "image", ""),
    ("", bomb(), 422, "image", "60000x60000"),
    ("", b"x" * ((1 << 20) + 1), 413, "bytes", "1048576"),
    ("nonsense=1", png(), 422, "settings", "nonsense"),
    ("model=/etc/passwd", png(), 422, "settings", "not served"),
    ("model=../small-v1", png(), 422, "settings", "not served"),
    ("seed=-1", png(), 422, "settings", "seed"),
    (f"seed={2**64}", png(), 422, "settings", "seed"),
    ("seed=1&seed=2", png(), 422, "settings", "twice"),
    ("steps=0", png(), 422, "settings", "steps"),
    ("steps=101", png(), 422, "settings", "101"),
    ("preset=slow", png(), 422, "settings", "preset"),
    ("preset=fast&steps=3", png(), 422, "settings", "preset"),
    ("model=clean&steps=2", png(), 422, "settings", "student"),
    ("eta=nan", png(), 422, "settings", "eta"),
    ("samples=5&average=1", png(), 422, "settings", "up to 4"),
    ("samples=2", png(), 422, "settings", "/v1/jobs"),
    ("average=1", png(), 422, "settings", "samples"),
    ("scale=5", png(), 422, "settings", "scale"),
    ("size=9999x9999", png(), 422, "settings", "9999"),
    ("crop=0,0,99,99", png(), 422, "settings", "crop"),
    ("", png(65), 422, "pixels", "shrink=true to begin with 64x64"),
    ("shrink=perhaps", png(), 422, "settings", "shrink"),
    ("format=exe", png(), 422, "settings", "format"),
    ("format=jpg", encoded(np.full((8, 8, 4), 9, np.uint8), "PNG"), 422, "format", "transparent"),
]


@pytest.mark.parametrize(("query", "body", "status", "reason", "word"), REFUSED)
def test_what_is_refused(
    client: TestClient, service: Service, query: str, body: bytes, status: int, reason: str, word: str
) -> None:
    def counted() -> float:
        return service.metrics.registry.get_sample_value("srdiff_rejected_total", {"reason": reason}) or 0.0

    before = counted()
    answer = client.post(f"/v1/upscale?{query}", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem = answer.json()
    assert problem["status"] == status and problem["reason"] == reason and word in problem["detail"]
    assert counted() == before + 1


def test_no_type_that_is_written_here(client: TestClient) -> None:
    assert client.post("/v1/upscale", content=png(), headers={"Accept": "text/html"}).status_code == 406


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no boundary in here"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="seed"\r\n\r\n1\r\n' * 10000 + b"--b--\r\n",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="i"; filename="a"\r\n\r\n1\r\n' * 3 + b"--b--\r\n",
        ),
        (
            "multipart/form-data; boundary=b; charset=idna",
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff',
        ),
    ],
)
def test_broken_forms(client: TestClient, content_type: str, body: bytes) -> None:
    answer = client.post("/v1/upscale", content=body, headers={"Content-Type": content_type})
    assert answer.status_code in (400, 422) and answer.json()["detail"], answer.text


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "C:\\boot.ini", "a\r\nSet-Cookie: x", "", "\u202egnp.exe", "a" * 9999]
)
def test_names_of_files_are_words_only(client: TestClient, name: str) -> None:
    answer = client.post("/v1/upscale", files={"image": (name, b"broken", "image/png")})
    assert answer.status_code in (400, 422) and "passwd cannot" not in answer.text
    assert "/" not in answer.json()["detail"].split(" is ")[0] and "set-cookie" not in answer.headers


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
def test_damaged_images_are_refused_and_never_a_fault(client: TestClient, format: str) -> None:
    rng = np.random.default_rng(list(format.encode()))
    whole = encoded(rng.integers(0, 255, (12, 12, 3), np.uint8), format)
    for _ in range(40):
        broken = bytearray(whole[: rng.integers(20, len(whole))])
        for place in rng.integers(0, len(broken), 3):
            broken[place] = rng.integers(0, 256)
        answer = client.post("/v1/upscale?model=clean", content=bytes(broken))
        assert answer.status_code in (200, 422), (answer.status_code, answer.text, bytes(broken))


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/nothing", 404), ("PUT", "/livez", 405), ("GET", "/page/nothing", 404)]
)
def test_refused_addresses_are_counted(
    client: TestClient, service: Service, method: str, path: str, status: int
) -> None:
    def counted() -> float:
        return service.metrics.registry.get_sample_value("srdiff_rejected_total", {"reason": "address"}) or 0.0

    before = counted()
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["reason"]) == (status, "address") and counted() == before + 1


def test_an_address_takes_all_that_it_says(client: TestClient) -> None:
    assert set(client.put("/v1/jobs/x").headers["allow"].split(", ")) == {"GET", "HEAD", "DELETE"}
    assert client.head("/v1/models").headers["content-length"] == client.get("/v1/models").headers["content-length"]


def test_no_redirect_to_where_host_says(client: TestClient) -> None:
    answer = client.get("/livez/", follow_redirects=False)
    assert answer.status_code == 404 and "location" not in answer.headers


def test_addresses(client: TestClient) -> None:
    assert client.get("/v1/nothing").status_code == 404
    assert client.get("/v1/upscale").status_code == 405
    assert client.get("/v1/nothing").json()["reason"] == "address"


def test_what_is_too_large_is_offered_smaller_and_made_so(client: TestClient) -> None:
    large = data.astronaut()[:70, :140]
    offer = client.post("/v1/upscale?steps=1", content=encoded(large, "PNG")).json()["shrunk"]
    assert (offer["width"], offer["height"], offer["scale"]) == (90, 45, 4) and offer["seconds"] > 0
    made = client.post("/v1/upscale?steps=1&shrink=true", content=encoded(large, "PNG"))
    assert made.headers["srdiff-shrunk"] == "90x45" and made.headers["srdiff-size"] == "360x180"
    alone = client.post("/v1/upscale?steps=1&shrink=true", content=encoded(bicubic(large, 45, 90), "PNG"))
    assert alone.content == made.content and "srdiff-shrunk" not in alone.headers
    part = client.post("/v1/upscale?steps=1&crop=0,0,64,64", content=encoded(large, "PNG"))
    assert part.status_code == 200 and part.headers["srdiff-size"] == "256x256"


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((3024, 4032), 4_000_000, (1732, 2309)),
        ((4032, 3024), 100, (11, 8)),
        ((1, 5_000), 4_000, (1, 4_000)),
    ],
)
def test_the_largest_size_of_this_shape(size: tuple[int, int], most: int, expected: tuple[int, int]) -> None:
    assert fitting_size(*size, most) == expected
