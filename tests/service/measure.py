"""What the process does under load, before hostile input and while idle: ``python -m tests.service.measure``.

Prints one line per part; ``--full`` takes the numbers of docs/serving.md. Loopback only, and each part ends by itself.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import io
import json
import random
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from srdiff import Upscaler
from srdiff.photo.convert import to_pil
from srdiff.photo.read import read_photo
from srdiff.photo.write import write_photo

from .conftest import png, wait_for
from .process import LONG, Process

QUICK = "preset=fast"
SIDES = (16, 24, 32, 48)


def resident(process: Process) -> float:
    """MiB."""
    return process.metric("process_resident_memory_bytes") / 2**20


def post(process: Process, path: str, body: bytes) -> tuple[int, bytes, int]:
    """Ask until there is room; the third number counts how often there was none."""
    refused = 0
    while True:
        status, answer = process.ask(path, body)
        if status != 429:
            return status, answer, refused
        assert json.loads(answer)["reason"] == "line"
        refused += 1
        time.sleep(0.05 + 0.2 * random.random())


def load(process: Process, requests: int, clients: int) -> str:
    """Mixed sizes, every answer equal to the serial one by its hash."""
    wishes = [(SIDES[number % len(SIDES)], number) for number in range(requests)]
    waiting: list[float] = []

    def one(wish: tuple[int, int]) -> tuple[str, float, int]:
        began = time.perf_counter()
        status, answer, refused = post(process, f"/v1/upscale?steps=2&seed={wish[1]}", png(wish[0]))
        assert status == 200, answer
        waiting.append(process.metric("srdiff_waiting"))
        return hashlib.sha256(answer).hexdigest(), time.perf_counter() - began, refused

    with ThreadPoolExecutor(clients) as pool:
        made = list(pool.map(one, wishes))
    upscaler = Upscaler.from_bundle("small-v1", "cpu", "onnxruntime")
    two_steps = upscaler.bundle.manifest.sampler(None, None, 2)
    wrong = 0
    for (side, seed), (digest, _, _) in zip(wishes, made):
        large, encoded = upscaler.enlarge(read_photo(io.BytesIO(png(side))), seed, two_steps), io.BytesIO()
        write_photo(large, encoded, "png")
        wrong += hashlib.sha256(encoded.getvalue()).hexdigest() != digest
    seconds = sorted(entry[1] for entry in made)
    return (
        f"{requests} requests of {clients} clients: {wrong} wrong, {sum(entry[2] for entry in made)} times 429, "
        f"at most {max(waiting):.0f} waiting, p50 {statistics.median(seconds):.2f} s, "
        f"p95 {seconds[int(0.95 * requests)]:.2f} s"
    )


def memory(process: Process, images: int) -> str:
    """One after another, each with its own seed; kept results are bounded by their own option."""
    for seed in range(images // 10):
        process.ask(f"/v1/upscale?steps=1&seed={seed}", png())
    before = resident(process)
    for seed in range(images):
        assert process.ask(f"/v1/upscale?steps=1&seed={10**6 + seed}", png())[0] == 200
    grown = resident(process) - before
    return f"memory: {before:.0f} MiB, {grown:+.1f} after {images} images, {100 * grown / images:+.2f} per 100"


def hang_ups(process: Process, clients: int) -> str:
    """Clients that go while their image is worked on."""
    freed, step = process.metric("srdiff_freed_seconds_sum"), process.metric("srdiff_step_seconds_count")
    counted, spent = process.metric("srdiff_freed_seconds_count"), process.metric("srdiff_step_seconds_sum")
    for seed in range(clients):
        before = process.metric("srdiff_step_seconds_count")
        connection = process.send(f"/v1/upscale?{LONG}&seed={seed}", png())
        wait_for(lambda before=before: process.metric("srdiff_step_seconds_count") > before)
        connection.close()
        wait_for(lambda: process.metric("srdiff_running") == 0)
    gone = process.metric("srdiff_freed_seconds_count") - counted
    steps = process.metric("srdiff_step_seconds_count") - step
    return (
        f"{clients} clients hung up: {gone:.0f} workers freed, {steps / clients:.1f} of 100 steps run each, freed "
        f"after {1000 * (process.metric('srdiff_freed_seconds_sum') - freed) / gone:.0f} ms where a step takes "
        f"{1000 * (process.metric('srdiff_step_seconds_sum') - spent) / steps:.0f}"
    )


def hostile(process: Process, count: int) -> str:
    """Mutated images, then bombs, forms of many parts and names with paths."""
    rng = random.Random(5)
    statuses: dict[int, int] = {}
    bases = [png(24), *(encoded(format) for format in ("JPEG", "WEBP", "TIFF", "GIF"))]
    for number in range(count):
        broken = bytearray(bases[number % len(bases)])
        for _ in range(rng.randint(1, 12)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        status, _ = process.ask("/v1/upscale?steps=1", bytes(broken[: rng.randint(len(broken) // 2, len(broken))]))
        statuses[status] = statuses.get(status, 0) + 1
    part = '--b\r\nContent-Disposition: form-data; name="../../etc/%d"\r\n\r\nx\r\n'
    form = "".join(part % number for number in range(10_000)) + "--b--\r\n"
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    named = '--b\r\nContent-Disposition: form-data; name="image"; filename="../../../etc/passwd"\r\n\r\n'
    special = [
        posted(process, "/v1/upscale", form.encode(), "multipart/form-data; boundary=b"),
        posted(process, "/v1/upscale", bomb.getvalue(), "image/png"),
        posted(
            process, "/v1/upscale?steps=1", named.encode() + png() + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"
        ),
        posted(process, "/v1/upscale?name=..%2F..%2Fetc%2Fpasswd&steps=1&seed=3", png(), "image/png"),
        process.ask("/page/..%2f..%2fapp.py")[0],
    ]
    assert not any(status >= 500 for status in [*statuses, *special]), (statuses, special)
    said = ", ".join(f"{times} x {status}" for status, times in sorted(statuses.items()))
    return f"{count} mutated images: {said}; form of 10,000 parts, bomb, two names with paths, path: {special}"


def posted(process: Process, path: str, body: bytes, kind: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=60)
    try:
        connection.request("POST", path, body, {"Content-Type": kind})
        return connection.getresponse().status
    except ConnectionError:  # refused before all of it was sent
        return 0
    finally:
        connection.close()


def encoded(format: str) -> bytes:
    stream = io.BytesIO()
    Image.open(io.BytesIO(png(24))).save(stream, format)
    return stream.getvalue()


def throughput(process: Process, images: int) -> str:
    """Against calling the class in a loop, in turns; the service has the next image in its line meanwhile."""
    upscaler = Upscaler.from_bundle("small-v1", "cpu", "onnxruntime")
    ratios = []
    for turn in range(3):
        seeds = range(turn * images, (turn + 1) * images)
        began = time.perf_counter()
        for seed in seeds:
            large = upscaler.upscale(to_pil(read_photo(io.BytesIO(png(48)))), 10**8 + seed)
            large.save(io.BytesIO(), "PNG")
        loop = time.perf_counter() - began
        began = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda seed: process.ask(f"/v1/upscale?{QUICK}&seed={10**8 + seed}", png(48)), seeds))
        ratios.append(loop / (time.perf_counter() - began))
    return f"throughput: {statistics.median(ratios):.1%} of a loop's (median of {[f'{ratio:.3f}' for ratio in ratios]})"


def idle(process: Process, seconds: float) -> str:
    before = process.metric("process_cpu_seconds_total")
    time.sleep(seconds)
    return f"idle: {(process.metric('process_cpu_seconds_total') - before) / seconds:.2%} of a core"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    share = 1 if parser.parse_args().full else 0.05
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process = Process(Path(folder) / "log", "--model", "small-v1", "--keep-mib", "1")
        try:
            wait_for(process.find_port)
            wait_for(lambda: process.ask("/")[0] == 200)
            page = time.perf_counter() - began
            wait_for(lambda: process.ask("/readyz")[0] == 200)
            print(f"page after {page:.2f} s, ready after {time.perf_counter() - began:.2f} s", flush=True)
            print(idle(process, 2 + 18 * share), flush=True)
            print(load(process, int(200 * share), int(20 * share) + 2 * (share < 1)), flush=True)
            print(hang_ups(process, int(100 * share)), flush=True)
            print(hostile(process, int(1000 * share)), flush=True)
            print(memory(process, int(1000 * share)), flush=True)
            print(throughput(process, int(10 * share) + 2), flush=True)
            assert "Traceback" not in process.log.read_text()
        finally:
            process.kill()


if __name__ == "__main__":
    main()
