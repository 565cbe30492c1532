"""The body of a request: an image as it is, or a form with one; bounded in bytes, parts and seconds, in memory."""

from __future__ import annotations

import asyncio
import io
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import AsyncGenerator, AsyncIterator, Callable

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from .fields import FIELDS
from .limits import Limits
from .problems import Problem

_MAX_FIELD_BYTES = 1024
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Upload:
    """An image as it came.

    Attributes:
        name: what the sender calls it, without folders; "the image" where it has no name.
        content: the file.
        fields: of the query and the form.
    """

    name: str
    content: bytes
    fields: dict[str, str]

    def stream(self) -> io.BytesIO:
        stream = _NamedBytes(self.content)
        stream.name = self.name
        return stream


@dataclass
class _Held:
    """Of one body, what has come."""

    bytes: int = 0


class Uploads:
    """Receives bodies, all that are being received or read together within ``limits.body_bytes``.

    Args:
        require_open: called while a body arrives; raises to receive no more of it.
    """

    def __init__(self, limits: Limits, require_open: Callable[[], None]) -> None:
        self._limits = limits
        self._require_open = require_open
        self._held = 0

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[Upload]:
        """A request's body, to be read within; it counts for that long.

        Raises:
            Problem: too much, too slow, no image, several, a form that cannot be read, or as ``require_open`` says.
            starlette.requests.ClientDisconnect: the client has gone.
        """
        limits = self._limits
        said = request.headers.get("content-length", "0")
        if said.isdecimal() and int(said) > limits.upload_bytes:
            raise self._too_large()
        held = _Held()
        receiving = asyncio.ensure_future(self._receive(request, held))
        end = time.monotonic() + limits.body_seconds
        try:
            while not receiving.done():
                self._require_open()
                if time.monotonic() > end:
                    raise Problem(
                        408,
                        "slow",
                        f"the body did not arrive within {limits.body_seconds:g} seconds; send a smaller image",
                    )
                await asyncio.wait({receiving}, timeout=_POLL_SECONDS)
            yield receiving.result()
        finally:
            receiving.cancel()
            self._held -= held.bytes

    async def _receive(self, request: Request, held: _Held) -> Upload:
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            name, content, form = await _form(request, self._chunks(request, held))
        else:
            name, form = request.query_params.get("name", ""), []
            content = b"".join([chunk async for chunk in self._chunks(request, held)])
        if not content:
            raise Problem(422, "image", "the body is empty; send an image, or a form with one in the field image")
        query = [(key, text) for key, text in request.query_params.multi_items() if key != "name"]
        fields: dict[str, str] = {}
        for key, text in [*query, *form]:
            if key in fields:
                raise Problem(422, "settings", f"field {key[:40]!r} is given twice; give it once")
            fields[key] = text
        return Upload(plain_name(name), content, fields)

    async def _chunks(self, request: Request, held: _Held) -> AsyncGenerator[bytes, None]:
        async for chunk in request.stream():
            if held.bytes + len(chunk) > self._limits.upload_bytes:
                raise self._too_large()
            if self._held + len(chunk) > self._limits.body_bytes:
                raise Problem(429, "bodies", "too many images are being received; come again later", 5)
            held.bytes += len(chunk)
            self._held += len(chunk)
            yield chunk

    def _too_large(self) -> Problem:
        return Problem(413, "bytes", f"the body is larger than {self._limits.upload_bytes} bytes; send a smaller image")


def plain_name(name: str) -> str:
    """A sender's name for a file, without folders and whatever else it may try."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^\w .()+-]", "_", last).strip(" .")[-100:] or "the image"


class _NamedBytes(io.BytesIO):
    name: str


class _InMemory(MultiPartParser):
    spool_max_size = 1 << 62  # beyond any limit: nothing is ever put on the disk


async def _form(request: Request, chunks: AsyncGenerator[bytes, None]) -> tuple[str, bytes, list[tuple[str, str]]]:
    """The one file of a form, its name, and the other fields."""
    parser = _InMemory(request.headers, chunks, max_files=1, max_fields=len(FIELDS) + 1, max_part_size=_MAX_FIELD_BYTES)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(400, "form", f"the form cannot be read ({error.message}); send one image and settings") from None
    except (KeyError, UnicodeDecodeError, ValueError) as error:
        raise Problem(
            400, "form", f"the form cannot be read ({type(error).__name__}); send multipart/form-data"
        ) from None
    name, content, fields = "", b"", []
    for key, value in form.multi_items():
        if isinstance(value, UploadFile):
            name, content = value.filename or "", await value.read()
        else:
            fields.append((key, value))
    await form.close()
    return name, content, fields
