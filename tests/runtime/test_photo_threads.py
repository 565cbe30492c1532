"""Reading in several threads of a program that has warnings of its own."""

from __future__ import annotations

import io
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from srdiff.photo.convert import photo_from
from srdiff.photo.decoding import decoding

from .pictures import encoded, smooth


def test_threads_that_read_leave_the_programs_warnings_alone() -> None:
    data = encoded(Image.fromarray(smooth(8, 8)), "PNG")

    def work(_: int) -> None:
        for _ in range(200):
            photo_from(Image.open(io.BytesIO(data)))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with decoding("it"):  # from here on the filter is there
            pass
        before = list(warnings.filters)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_only_the_thread_that_reads_is_silent() -> None:
    reading, said = threading.Event(), threading.Event()

    def read() -> None:
        with decoding("it"):
            warnings.warn("a decoder's", stacklevel=1)
            reading.set()
            said.wait(10)
            warnings.warn("a decoder's", stacklevel=1)

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        thread = threading.Thread(target=read)
        thread.start()
        reading.wait(10)
        warnings.warn("the program's", stacklevel=1)
        said.set()
        thread.join()
    assert [str(warning.message) for warning in heard] == ["the program's"]


@pytest.mark.parametrize("wish", ["error", "always", "default"])
def test_what_a_program_wishes_of_warnings_holds_outside_alone(wish: str) -> None:
    with warnings.catch_warnings(record=True) as heard:
        for _ in range(3):  # the wish comes before the filter each time
            warnings.simplefilter(wish)  # type: ignore[arg-type]
            with decoding("it"):
                warnings.warn("a decoder's", stacklevel=1)
        assert heard == []
        if wish == "error":
            with pytest.raises(UserWarning, match="heard"):
                warnings.warn("heard", stacklevel=1)
        else:
            warnings.warn("heard", stacklevel=1)
            assert len(heard) == 1


def test_an_error_on_the_way_ends_the_silence() -> None:
    for _ in range(2):
        with pytest.raises(Exception, match="damaged"), decoding("it"):
            raise ValueError("bad")
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)
