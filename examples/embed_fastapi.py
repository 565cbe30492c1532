"""A route of your own FastAPI program: `fastapi run examples/embed_fastapi.py`.

pip install 'srdiff[cpu]' 'fastapi[standard]'
"""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from typing import AsyncIterator

from fastapi import FastAPI, HTTPException, Request, Response

from srdiff import AsyncUpscaler, ImageError, Upscaler
from srdiff.errors import FullLine
from srdiff.photo.convert import to_pil
from srdiff.photo.read import read_photo

MAX_BYTES, MAX_PIXELS = 8 << 20, 1_000_000


@asynccontextmanager
async def life(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncUpscaler(Upscaler.from_bundle(), waiting=8) as app.state.upscaler:
        yield


app = FastAPI(lifespan=life)


@app.post("/enlarge")
async def enlarge(request: Request, seed: int = 0) -> Response:
    """An image in the body, a PNG out; who hangs up is no longer worked for."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BYTES:
            raise HTTPException(413, f"send at most {MAX_BYTES} bytes")
    try:
        image = to_pil(await asyncio.to_thread(read_photo, io.BytesIO(content), MAX_PIXELS))
        work = asyncio.ensure_future(request.app.state.upscaler.upscale(image, seed))
        gone = asyncio.ensure_future(disconnected(request))
        try:
            await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
        large = await work
    except ImageError as error:
        raise HTTPException(422, str(error)) from error
    except FullLine as error:
        raise HTTPException(429, str(error), {"Retry-After": "5"}) from error
    encoded = io.BytesIO()
    await asyncio.to_thread(large.save, encoded, "PNG")
    return Response(encoded.getvalue(), media_type="image/png")


async def disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
