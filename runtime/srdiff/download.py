"""A file from an address, of which the SHA-256 is known before."""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Callable
from urllib.parse import urlsplit

from .atomic_files import cannot_write
from .errors import BundleError, OptionError

SECONDS = 30  # without a byte
MAX_BYTES = 4 << 30
_CHUNK = 1 << 20


def download(url: str, sha256: str, folder: Path, told: Callable[[int, int | None], None]) -> Path:
    """Fetch a file, or the rest of it where an earlier call was cut off.

    Args:
        url: https, or http, as the hash decides and not the connection.
        sha256: of the file, 64 hexadecimal digits.
        folder: that is there; it gets the file as ``.download-...``, which is the caller's to remove.
        told: called with bytes here and bytes in all, the latter None where the server does not say.

    Returns:
        The whole file; its content has this hash.

    Raises:
        BundleError: the server does not answer, or has another file.
        OptionError: an address of another kind, or no hash.
        OutputError: the folder cannot be written.
    """
    if urlsplit(url).scheme not in ("https", "http"):
        raise OptionError(f"url is {url!r}; it must begin with https:// or http://")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise OptionError(f"sha256 is {sha256!r}; give the 64 hexadecimal digits that the model's publisher states")
    part = folder / f".download-{sha256.lower()[:32]}"
    try:
        _fetch(url, part, told)
        found = _hash(part)
        if found != sha256.lower():
            part.unlink()
            raise BundleError(f"{url} has the SHA-256 {found} where {sha256} was expected; do not use it")
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise BundleError(
            f"{url} was not fetched: {reason}; run the same again, which goes on where it stopped"
        ) from error
    except OSError as error:
        raise cannot_write(part, error) from error
    return part


def _fetch(url: str, part: Path, told: Callable[[int, int | None], None]) -> None:
    here = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={here}-"} if here else {})
    try:
        answer = urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        if here and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # it is all here; the hash tells
        raise
    with answer:
        if answer.status != http.client.PARTIAL_CONTENT:
            here = 0
        length = answer.headers.get("Content-Length")
        total = here + int(length) if length and length.isdecimal() else None
        with part.open("ab" if here else "wb") as file:
            while True:
                try:
                    chunk = answer.read(_CHUNK)
                except OSError as error:  # of the network, and not of the file that is written
                    raise urllib.error.URLError(error) from error
                if not chunk:
                    break
                here += len(chunk)
                if here > MAX_BYTES:
                    raise BundleError(f"{url} sends more than {MAX_BYTES >> 30} GiB, which no bundle is")
                file.write(chunk)
                told(here, total)
    if total is not None and here < total:
        raise http.client.IncompleteRead(b"", total - here)


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()
