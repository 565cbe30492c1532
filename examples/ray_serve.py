"""The same upscaler as a Ray Serve deployment: POST an image, get the enlarged one; who comes too many is told so.

    pip install '.[cpu,ray]' 'ray[serve]'
    python examples/ray_serve.py
    curl --data-binary @in.png 'http://127.0.0.1:8000/?seed=7' -o out.png

Each replica makes one image at a time and ``WAITING`` more may wait for any of them; the next request is answered with
503 at once, so that a client can come again or go elsewhere, and memory stays bounded.
"""

from __future__ import annotations

import asyncio
import io
import time
from typing import Any

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from srdiff import SRDiffError, Upscaler
from srdiff.photo.read import read_photo
from srdiff.photo.write import write_photo

WAITING = 4
MAX_BYTES, MAX_PIXELS = 16 << 20, 4_000_000


@serve.deployment(ray_actor_options={"num_cpus": 1}, max_ongoing_requests=1, max_queued_requests=WAITING)
class Enlarger:
    """One model, loaded once.

    Args:
        model: a built-in name, or a bundle's folder on every node.
        threads: as many as the replica has CPUs; Ray's OMP_NUM_THREADS does not reach the engines.
    """

    def __init__(self, model: str | None = None, threads: int = 1, **engine: Any) -> None:
        self._upscaler = Upscaler.from_bundle(model, threads=threads, **engine)

    async def __call__(self, request: Request) -> Response:
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > MAX_BYTES:
                return PlainTextResponse(f"an upload has at most {MAX_BYTES} bytes; send a smaller image\n", 413)
        try:
            seed = int(request.query_params.get("seed", "0"))
            # In a thread: the replica goes on answering health checks meanwhile.
            result = await asyncio.to_thread(self._enlarged, bytes(content), seed)
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", 422)
        except SRDiffError as error:
            return PlainTextResponse(f"{error}\n", 400)
        return Response(result, media_type="image/png")

    def _enlarged(self, content: bytes, seed: int) -> bytes:
        photo = read_photo(io.BytesIO(content), MAX_PIXELS)
        encoded = io.BytesIO()
        write_photo(self._upscaler.enlarge(photo, seed), encoded, "png")
        return encoded.getvalue()


def main() -> None:
    ray.init()
    serve.run(Enlarger.options(num_replicas=1).bind())
    print("POST images to http://127.0.0.1:8000/", flush=True)
    try:
        while True:
            time.sleep(60)
    finally:
        serve.shutdown()


if __name__ == "__main__":
    main()
