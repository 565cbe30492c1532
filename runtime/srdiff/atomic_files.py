"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import filecmp
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Callable, Iterator

from .errors import ExistsError, OutputError
from .looking import is_folder, is_stream, is_there
from .unfinished_files import forget, new_name

_ADVICE = {
    errno.ENOENT: "create its folder first",
    errno.ENOTDIR: "choose a folder that is one",
    errno.EISDIR: "add a file name to the folder",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
    errno.ENOSPC: "free some space or choose another disk",
    errno.EPIPE: "keep the reading end of the pipe open",
}


@contextmanager
def atomic_file(path: Path, before: Callable[[Path], None] | None = None, replace: bool = True) -> Iterator[Path]:
    """Yields a temporary path beside ``path``, with its suffix, which becomes ``path`` when the block ends and the disk
    has it.

    Whatever ends the block early leaves ``path`` as it was and removes the temporary file. A symbolic link
    stays one: the file that it points to is replaced. A device or a pipe cannot be replaced, so ``path``
    itself is yielded for it. Raises OutputError for every OSError in the block, and before it for a folder.

    Args:
        before: told the temporary path when the disk has all of it, before it takes the place of ``path``; what it
            raises leaves ``path`` as it was.
        replace: what is there by then; otherwise that stays, and raises ExistsError unless it is the same to the byte.
    """
    try:
        if is_stream(path):  # before resolving: a pipe's link leads to a name that is no file
            yield path
            return
        final = _final(path)
        if is_folder(final):
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        # No mkstemp: its files are private whatever the umask.
        temporary = final.with_name(new_name(final.suffix))
        try:
            yield temporary
            _flush(temporary)
            if before is not None:
                before(temporary)
            if replace:
                temporary.replace(final)
            else:
                _take_free_name(temporary, final, path)
        finally:
            with suppress(OSError):  # the rename has taken it, or it was never made
                temporary.unlink()
            forget(temporary.name)
    except OSError as error:
        raise cannot_write(path, error) from error


def _take_free_name(temporary: Path, final: Path, name: Path) -> None:
    """Give a file a name that no other has, without a moment between the look and the name."""
    try:
        os.link(str(temporary), str(final))
    except (OSError, AttributeError, NotImplementedError):
        if not os.path.lexists(str(final)):  # a file system without hard links
            temporary.replace(final)
        # The same command makes the same; over a network the link may have been made and the answer lost.
        elif not filecmp.cmp(str(temporary), str(final), shallow=False):
            raise already_made(name) from None


def already_made(name: Path) -> ExistsError:
    """The sentence for a result that appeared while it was made."""
    return ExistsError(f"{name} was made by another meanwhile and is kept; move it away, or replace it with overwrite")


def cannot_write(name: Path | str, error: OSError) -> OutputError:
    """The sentence for an output that the system refuses."""
    advice = _ADVICE.get(error.errno or 0, "choose another output")
    return OutputError(f"{name} cannot be written ({error.strerror or error}); {advice}")


def require_writable(path: Path) -> None:
    """Try to write where the file will be, before hours of work rather than after them. Nothing of it stays: what is
    refused later leaves no empty folder. :func:`make_folder` comes before the file.

    Raises:
        OutputError: a file cannot be made there.
    """
    if is_stream(path):
        return
    try:
        # Folders that are not there are not made and removed again: others may be about to write there.
        final = _final(path)
        folder = next((folder for folder in final.parents if is_there(folder)), final.parent)
        probe = folder / new_name()
        probe.touch()
        probe.unlink()
        forget(probe.name)
    except OSError as error:
        raise cannot_write(path, error) from error


def make_folder(path: Path, mode: int = 0o777) -> None:
    """The file's folder, if it is not there, of this mode less the umask.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        _final(path).parent.mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def _final(path: Path) -> Path:
    """The file that gets the content: where a link leads; raises OSError."""
    try:
        return path.resolve()
    except RuntimeError as error:  # before Python 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error


def _flush(path: Path) -> None:
    """To the disk: a machine that stops after the rename must not have the name without the content."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def stream_name(stream: BinaryIO, default: str) -> str:
    """What to call a stream in a message."""
    name = getattr(stream, "name", None)  # "<stdin>" for standard input, a number for a descriptor
    return name if isinstance(name, str) and not name.startswith("<") else default
