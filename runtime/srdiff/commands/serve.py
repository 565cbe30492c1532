"""``srdiff-serve``: the service and its page."""

from __future__ import annotations

import logging
import os
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any, Callable, Mapping

import click

from ..bundle import Bundle
from ..engines import DEVICES, ENGINES, PRECISIONS
from ..engines.device_names import each_device
from ..errors import OptionError, PackageError
from ..machine import threads_of_each
from ..model_names import DEFAULT_MODEL, built_in, bundle_folder
from ..upscaler import Upscaler
from . import completing
from .command import Command
from .devices import engine_option
from .paths import FilePath
from .saying import say

TOKEN_VARIABLE = "SRDIFF_TOKEN"
_MIB = 1 << 20


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is every one.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--model",
    "models",
    multiple=True,
    shell_complete=completing.models,
    help="Bundle folder, or a built-in one; repeatable, the first is the default.  [default: all built-in ones]",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="DEVICE",
    shell_complete=completing.devices,
    help=f"auto, {', '.join(DEVICES)}; ascend:0,1 two that share the line.",
)
@click.option("--engine", type=click.Choice(["auto", *ENGINES]), default="auto", show_default=True)
@click.option(
    "--engine-option", "engine_options", multiple=True, metavar="KEY=VALUE", help="Of the engine alone; repeatable."
)
@click.option("--precision", type=click.Choice(["auto", *PRECISIONS]), default="auto", show_default=True)
@click.option("--tile", type=click.IntRange(1), help="As for srdiff-run.  [default: by the memory at hand]")
@click.option("--threads", type=click.IntRange(1), help="CPU threads of a worker.  [default: all, divided by workers]")
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Images at a time on each device."
)
@click.option(
    "--token-file",
    type=FilePath(),
    help=f"Ask for the bearer token in this file.  [default: the variable {TOKEN_VARIABLE}, else none]",
)
@click.option("--max-mib", type=click.IntRange(1), default=32, show_default=True, help="Of an upload.")
@click.option("--max-pixels", type=click.IntRange(1), default=4_000_000, show_default=True, help="Of an input.")
@click.option(
    "--max-seconds", type=click.IntRange(1), default=900, show_default=True, help="That an image may take, predicted."
)
@click.option("--max-waiting", type=click.IntRange(0), default=16, show_default=True, help="Images in the line.")
@click.option("--keep-seconds", type=click.IntRange(1), default=900, show_default=True, help="Keep results so long.")
@click.option("--keep-mib", type=click.IntRange(1), default=512, show_default=True, help="Of results kept in memory.")
def main(host: str, port: int, models: tuple[str, ...], token_file: Path | None, **options: Any) -> None:
    """Enlarge images over HTTP, and on a page.

    SIGTERM finishes what is in the line and takes nothing new; a second one stops.
    """
    if sys.version_info < (3, 9):
        raise PackageError("the service needs Python 3.9 or newer; run it with one")
    try:
        from ..service.limits import Limits
        from ..service.listening import is_loopback, listening
        from ..service.server import serve
        from ..service.service import Service
    except ImportError as error:
        raise PackageError(f"the service needs {error.name}; install the extra srdiff[serve]") from error
    token = read_token(token_file)
    bundles = open_bundles(models)
    limits = Limits(
        upload_bytes=options["max_mib"] * _MIB,
        body_bytes=8 * options["max_mib"] * _MIB,
        pixels=options["max_pixels"],
        seconds=options["max_seconds"],
        waiting=options["max_waiting"],
        kept_seconds=options["keep_seconds"],
        kept_bytes=options["keep_mib"] * _MIB,
    )
    sockets = listening(host, port)
    local = host if all(is_loopback(opened.getsockname()[0]) for opened in sockets) else None
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    service = Service(bundles, list(openers(bundles, options)), limits)
    if local is None and token is None:
        say(f"{host} can be reached from other machines and no token is asked for")
    serve(service, sockets, token, local)


def open_bundles(models: tuple[str, ...]) -> dict[str, Bundle]:
    """Bundles by the names under which they are served; all built-in ones where none is named, the default first."""
    if not models:
        models = tuple(sorted(built_in(), key=lambda name: name != DEFAULT_MODEL.stem))
    bundles: dict[str, Bundle] = {}
    for model in models:
        folder = bundle_folder(model)
        if folder.stem in bundles:
            raise OptionError(f"two models are called {folder.stem}; rename one of the folders")
        if not _is_text(folder.stem):
            raise OptionError(f"the name of the folder {str(folder)!r} is not UTF-8; rename it")
        bundles[folder.stem] = Bundle(folder)
    return bundles


def _is_text(name: str) -> bool:
    """Whether answers, metrics and the page can hold it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def openers(bundles: Mapping[str, Bundle], options: Mapping[str, Any]) -> list[Callable[[], dict[str, Upscaler]]]:
    """What opens the models for each worker."""
    workers = options["workers"]
    threads = threads_of_each(workers, options["threads"])
    chosen = dict(engine_option(text) for text in options["engine_options"])

    def open_all(device: str) -> dict[str, Upscaler]:
        return {
            name: Upscaler.from_bundle(
                bundle.path,
                device,
                options["engine"],
                options["precision"],
                threads,
                options["tile"],
                engine_options=chosen,
            )
            for name, bundle in bundles.items()
        }

    return [partial(open_all, device) for device in each_device(options["device"]) for _ in range(workers)]


def read_token(file: Path | None) -> str | None:
    """From a file, or the environment; None where there is none.

    Raises:
        OptionError: the file cannot be read, or the token is empty or cannot be sent in a header.
    """
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE)
        source = f"the variable {TOKEN_VARIABLE}"
    else:
        source = str(file)
        try:
            token = file.read_text(encoding="utf-8-sig")  # Windows' editors begin it with a mark
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"{file} cannot be read ({type(error).__name__}); give a file with the token") from error
    if token is None:
        return None
    token = token.strip()
    if not token:
        raise OptionError(f"{source} holds no token; write one, or leave it out")
    if re.fullmatch("[ -~]+", token) is None:
        raise OptionError(f"{source} holds a token with other characters than ASCII's visible ones; write it of those")
    return token


if __name__ == "__main__":
    main()
