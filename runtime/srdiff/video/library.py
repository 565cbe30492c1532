"""PyAV, and its failures as sentences of this project."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Iterator

from ..errors import ImageError, OutputError, PackageError, SRDiffError, one_line

try:
    import av
except ImportError as error:
    raise PackageError(
        f"films need {error.name or 'a working av'}; on Python 3.11 or newer install the extra srdiff[video]"
    ) from error

os.environ.setdefault("SVT_LOG", "1")  # errors only; libsvtav1 tells a page for each encoder otherwise

# Tags that are not UTF-8 are taken: by PyAV 19 as they are, by 18 with a mark for what it cannot read.
FOREIGN_TAGS = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}

__all__ = ["FOREIGN_TAGS", "av", "reading", "said", "writing"]


def _refused(error: Exception) -> OSError | None:
    """What the system refused while FFmpeg read or wrote through Python, where PyAV only tells that something was."""
    found = error.__cause__ or error.__context__
    return found if isinstance(error, av.FFmpegError) and isinstance(found, OSError) else None


def said(error: Exception) -> str:
    """What a library said, without the numbers and names around it."""
    error = _refused(error) or error
    return getattr(error, "strerror", None) or one_line(error)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turns everything that demuxers and decoders do about damaged bytes into one ImageError."""
    try:
        yield
    except SRDiffError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{name} does not exist; give a film") from error
    except (IsADirectoryError, PermissionError) as error:
        raise ImageError(f"{name} cannot be read ({error.strerror}); give a film that you may read") from error
    except MemoryError as error:
        raise ImageError(f"{name} does not fit into memory; give a smaller film") from error
    except (av.FFmpegError, ValueError, OSError, EOFError) as error:
        raise ImageError(f"{name} is no film, or damaged ({said(error)}); give a complete one") from error


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Turns what encoders and muxers refuse into an OutputError; full disks and the like stay OSErrors."""
    try:
        yield
    except (SRDiffError, OSError):
        raise
    except (av.FFmpegError, ValueError) as error:
        refused = _refused(error)
        if refused is not None:
            raise refused from error
        raise OutputError(f"{name} cannot be written ({said(error)}); choose another codec or format") from error
