"""A file from an address, of which the SHA-256 is known before."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

from .atomic_files import cannot_write
from .bundle import MAX_BUNDLE
from .errors import BundleError, OptionError
from .file_hash import sha256_of

SECONDS = 30  # without a byte
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
    if not url.lower().startswith(("https://", "http://")):
        raise OptionError(f"url is {url!r}; it must begin with https:// or http://")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise OptionError(f"sha256 is {sha256!r}; give the 64 hexadecimal digits that the model's publisher states")
    part = folder / f".download-{sha256.lower()[:32]}"
    try:
        _fetch(url, part, told)
        found = sha256_of(part)
        if found != sha256.lower():
            part.unlink()
            raise BundleError(f"{url} has the SHA-256 {found} where {sha256} was expected; do not use it")
    except (http.client.InvalidURL, ValueError) as error:
        raise OptionError(f"url is {url!r}, which is no address ({error}); write it as a browser copies it") from error
    except (urllib.error.URLError, http.client.HTTPException) as error:
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
        with _of_the_network():
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
                with _of_the_network():
                    chunk = answer.read(_CHUNK)
                if not chunk:
                    break
                here += len(chunk)
                if here > MAX_BUNDLE:
                    raise BundleError(f"{url} sends more than {MAX_BUNDLE >> 30} GiB, which no bundle is")
                file.write(chunk)
                told(here, total)
    if total is not None and here < total:
        raise http.client.IncompleteRead(b"", total - here)


@contextmanager
def _of_the_network() -> Iterator[None]:
    """Tells refusals of the network from those of the file that is written."""
    try:
        yield
    except urllib.error.URLError:
        raise
    except OSError as error:
        raise urllib.error.URLError(error) from error
