"""An upscaler for programs that run on asyncio."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Sequence

from .errors import OptionError
from .line import Line, Turn
from .progress import Callback
from .upscaler import Upscaler


class AsyncUpscaler:
    """Images wait in a line of bounded length, and each is enlarged in a worker's thread.

    The event loop stays free. A task that is cancelled leaves the line at once, or stops its image at the next step.

    Args:
        upscalers: one for each worker, such as one per device; a single one may stand alone.
        waiting: images that may wait, beside those that are worked on.

    Raises:
        OptionError: there is no upscaler, or waiting is no whole number from 0.
    """

    def __init__(self, upscalers: Upscaler | Sequence[Upscaler], waiting: int = 16) -> None:
        workers = [upscalers] if isinstance(upscalers, Upscaler) else list(upscalers)
        if not workers:
            raise OptionError("there is no upscaler; give one at least")
        self._line = Line(waiting)
        self._threads = [
            threading.Thread(target=self._line.hire(worker), name="upscaler", daemon=True) for worker in workers
        ]
        for thread in self._threads:
            thread.start()

    async def upscale(self, image: Any, seed: int = 0, callback: Callback | None = None, **settings: Any) -> Any:
        """Like :meth:`srdiff.Upscaler.upscale`; ``callback`` is called from the worker's thread.

        Raises:
            srdiff.errors.FullLine: as many wait as may; nothing was done.
            srdiff.errors.Stopped: it was closed before, or meanwhile.
        """

        def work(upscaler: Upscaler) -> Any:
            return upscaler.upscale(image, seed, callback=watch, **settings)

        def watch(done: int, total: int) -> None:
            turn.go_on()
            if callback is not None:
                callback(done, total)

        turn = Turn(work)
        self._line.join(turn)
        try:
            return await asyncio.wrap_future(turn.future)
        finally:
            self._line.leave(turn)

    async def close(self) -> None:
        """Give up all images and wait until the workers are free: a step at most."""
        self._line.close()
        for thread in self._threads:
            await asyncio.get_event_loop().run_in_executor(None, thread.join)

    async def __aenter__(self) -> AsyncUpscaler:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
