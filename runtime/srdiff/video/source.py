"""A film's file: opened anew from its beginning for each reading, and the same each time."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Iterator

from ..errors import ImageError
from ..file_hash import sha256_of
from .frames import refuse_stream
from .library import av

# What is read. No playlists, which name other files and addresses, and no pictures.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,mxf,nut,ivf,dv,h264,hevc,yuv4mpegpipe"
)


class Source:
    """A file; a context manager.

    Attributes:
        name: for messages.

    Raises:
        ImageError: it is a pipe or a device.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        refuse_stream(path)
        self.name = str(path)
        self._path = path
        self._file = path.open("rb")  # so that what is written into it is seen after another takes its name
        self._state = _state(self._file)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """PyAV's container at the file's beginning, which seeking does not always lead back to."""
        # Opened here and not by FFmpeg, which takes names for addresses; and nothing that the file names is.
        options = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
        with self._path.open("rb") as file:
            self._refuse_changed(file)
            with av.open(file, container_options=options, metadata_errors="replace") as container:
                yield container

    def sha256(self) -> str:
        """Raises OSError."""
        return sha256_of(self._path)

    def stay(self) -> None:
        """Raises ImageError where the file changed, so that what was read may be of two films."""
        self._refuse_changed(self._file)

    def _refuse_changed(self, file: BinaryIO) -> None:
        if _state(file) != self._state:
            raise ImageError(f"{self.name} changed while it was read; run the same again once nothing writes to it")


def _state(file: BinaryIO) -> tuple[int, ...]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
