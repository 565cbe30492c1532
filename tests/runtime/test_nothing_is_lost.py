"""Over command lines and folders of any kind: no file of a person's is lost, and every input is accounted for."""

from __future__ import annotations

import json
import os

from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import srdiff.commands.run as run_command
from srdiff import ImageError
from srdiff.jobs.sources import Source, find_sources

from ..models import SMALL
from .in_process import names, picture


def sources_of(inputs: list[str], recursive: bool, output: str | None) -> list[Source]:
    try:
        return find_sources(inputs, "_x4", recursive, output=output).sources
    except ImageError:
        return []


FILES = ["a.png", "a.jpg", "b.png", "a_x4.png", "b_x4_1.png", "sub/a.png", "bad.png", "c.cr2"]
EXISTING = ["a_x4.png", "b_x4.png", "out/a.png", "out/b.png", "b_x4_uncertainty.png", "out.png"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    inputs=st.lists(st.sampled_from([*FILES, ".", "sub"]), min_size=1, max_size=4),
    there=st.sets(st.sampled_from(EXISTING)),
    output=st.sampled_from([None, "out", "out/", ".", "sub", "a.png", "out.png", "b_x4.png"]),
    samples=st.sampled_from([[], ["--samples", "2"], ["--samples", "2", "--average", "--uncertainty"]]),
    overwrite=st.booleans(),
    recursive=st.booleans(),
    full=st.booleans(),
)
# The only job fails, and the ledger is said all the same.
@example(inputs=["sub"], there=set(), output=None, samples=[], overwrite=False, recursive=False, full=True)
def test_no_file_is_changed_unasked(
    srdiff_run, tmp_path_factory, monkeypatch, inputs, there, output, samples, overwrite, recursive, full
):
    """Whatever is given, whatever lies there: only --overwrite replaces a file, and never an input."""
    folder = tmp_path_factory.mktemp("any")
    monkeypatch.chdir(folder)
    for name in FILES:
        picture(folder / name, 7) if name.endswith(("png", "jpg")) else (folder / name).write_bytes(b"raw")
    (folder / "bad.png").write_bytes(b"damaged")
    for name in there - set(FILES):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(name.encode())
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    expected = {os.path.relpath(folder / source.name, folder) for source in sources_of(inputs, recursive, output)}
    if full:  # one injected failure: the disk takes nothing more

        def no_space(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("srdiff.photo.write._encode", no_space)
    words = [*inputs, *samples, *(["-o", output] if output else [])]
    words += (
        ["--overwrite"] * overwrite + ["--recursive"] * recursive + ["--model", str(SMALL), "--steps", "1", "--json"]
    )
    result = CliRunner().invoke(run_command.main, [*words, "--engine", "onnxruntime", "--device", "cpu"])
    monkeypatch.undo()
    assert result.exit_code in (0, 2) and "unexpected" not in result.output, result.output
    after = {name: (folder / name).read_bytes() for name in names(folder)}
    records = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    written = {os.path.relpath(folder / path, folder) for record in records for path in record["written"]}
    read = {os.path.relpath(folder / record["input"], folder) for record in records}
    changed = {name for name, content in before.items() if after.get(name) != content}
    assert changed <= (written if overwrite else set())
    assert not changed & read, "an input was replaced"
    assert set(after) - set(before) <= written, "a file that nobody was told of"
    assert all(record["status"] in ("done", "skipped", "failed") for record in records)
    ledgers = {str(path.relative_to(folder)) for path in folder.rglob("srdiff-ledger.jsonl")}
    assert all(f"ledger: {name}" in result.output for name in ledgers)
    assert records or "Error" in result.output
    assert not records or read == expected, "an input is not accounted for"
