"""A ledger's file: what comes back of its lines, whatever was cut, torn, merged, or dated by which clock."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from srdiff import OptionError, OutputError
from srdiff.batch.entry import Entry, FileRecord
from srdiff.batch.ledger import Ledger, promise_line
from srdiff.batch.lines import HEADER
from srdiff.batch.pins import fingerprint
from srdiff.batch.verify import verify
from srdiff.jobs.sources import Source
from srdiff.jobs.targets import Job

NAME = "srdiff-ledger.jsonl"


def entry(key: str, finished: float, status: str = "done") -> Entry:
    output = FileRecord(f"out/{key}", "0" * 64, 3, 5)
    return Entry(key, status, FileRecord("", None, 1, 2), (output,), "f" * 16, 7, 0.5, None, finished)


def test_entries_come_back_as_they_were(tmp_path):
    ledger = Ledger(tmp_path / NAME)
    entries = [entry("a.png", 1.0), entry("ä \n.png", 2.0, "failed")]
    for one in entries:
        ledger.append(one, {"seed": 7})
    ledger.close()
    again = Ledger(tmp_path / NAME)
    assert list(again.entries.values()) == entries and again.pins == {fingerprint({"seed": 7}): {"seed": 7}}


def test_ledgers_merge_and_the_latest_counts(tmp_path):
    for name, one in (("-1-of-2", entry("a", 5.0)), ("-2-of-2", entry("b", 1.0)), ("", entry("a", 2.0, "failed"))):
        (tmp_path / f"srdiff-ledger{name}.jsonl").write_bytes(HEADER + one.to_line())
    assert Ledger(tmp_path / NAME).entries == {"a": entry("a", 5.0), "b": entry("b", 1.0)}
    together = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / NAME).write_bytes(together)
    assert Ledger(tmp_path / "all" / NAME).entries == {"a": entry("a", 5.0), "b": entry("b", 1.0)}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["done", "failed", "promise"]),
            st.sampled_from("ab"),
            st.sampled_from(["", "-1-of-2", "-2-of-2"]),
            st.sampled_from([1.0, 1.0005, 2.0, 86400.0]),
        ),
        max_size=12,
    )
)
def test_what_came_last_counts_whatever_the_clocks_say(tmp_path_factory, events):
    """Runs one after another, of clocks set ahead and back, each with a ledger of its own or an older one's."""
    folder = tmp_path_factory.mktemp("any")
    entries, promises = {}, {"a": [], "b": []}
    for number, (what, key, name, clock) in enumerate(events):
        one = replace(entry(key, clock, "failed" if what == "failed" else "done"), seed=number)
        ledger = Ledger(folder / f"srdiff-ledger{name}.jsonl")
        ledger.promise(one) if what == "promise" else ledger.append(one)
        ledger.close()
        if what == "promise":
            promises[key].append(number)
        else:
            entries[key] = number
            promises[key] = promises[key] if what == "failed" else []
        together = folder / "together.jsonl"
        together.write_bytes(b"".join(path.read_bytes() for path in sorted(folder.glob("srdiff-ledger*"))))
        for found in (ledger, Ledger(folder / NAME), Ledger(together)):
            assert {one.key: one.seed for one in found.entries.values()} == entries
            expected = {f"out/{key}": numbers for key, numbers in promises.items() if numbers}
            assert {path: sorted(one.seed for one in ones) for path, ones in found.promises.items()} == expected


def test_within_one_ledger_the_order_of_its_lines_counts(tmp_path):
    """As of one that was written while the clock was set back; no time in it is trusted."""
    lines = [entry("a", 86400.0), entry("b", 86400.0), entry("a", 5.0, "failed")]
    (tmp_path / NAME).write_bytes(HEADER + b"".join(one.to_line() for one in lines) + promise_line(entry("b", 6.0)))
    ledger = Ledger(tmp_path / NAME)
    assert {key: one.status for key, one in ledger.entries.items()} == {"a": "failed", "b": "done"}
    assert set(ledger.promises) == {"out/b"}


def test_cut_at_any_byte(tmp_path):
    """As when the machine stops while a line is written: what was whole is read, and the file goes on."""
    ledger = Ledger(tmp_path / "whole.jsonl")
    for one in (entry("a", 1.0), entry("b", 2.0)):
        ledger.append(one, {"seed": 7})
    content = (tmp_path / "whole.jsonl").read_bytes()
    lines = content.count(b"\n")
    for size in range(len(content) + 1):
        (tmp_path / "cut.jsonl").write_bytes(content[:size])
        cut = Ledger(tmp_path / "cut.jsonl")
        whole = content[:size].count(b"\n")
        assert len(cut.entries) >= max(0, whole - 2) and cut.torn <= 1
        cut.append(entry("c", 3.0))
        cut.close()
        again = Ledger(tmp_path / "cut.jsonl")
        assert again.entries["c"] == entry("c", 3.0) and again.torn <= 1
        assert set(cut.entries) == set(again.entries)
    assert lines == 4
    (tmp_path / "cut.jsonl").write_bytes(b"\0" * 12)  # a size without content
    Ledger(tmp_path / "cut.jsonl").append(entry("c", 3.0))
    assert Ledger(tmp_path / "cut.jsonl").entries == {"c": entry("c", 3.0)}


@pytest.mark.parametrize(
    "line",
    [b"[]", b"7", b'{"key": 1, "status": "done"}', b'{"key": "a", "status": "?"}', b"\xff", b"[" * 100000]
    + [
        b'{"key": "a", "status": "done", "finished": %s}' % time
        for time in (b'"1"', b"NaN", b"Infinity", b"-1", b"1e300")
    ],
)
def test_lines_that_are_none(tmp_path, line):
    (tmp_path / NAME).write_bytes(HEADER + line + b"\n" + entry("a", 1.0).to_line())
    ledger = Ledger(tmp_path / NAME)
    assert ledger.torn == 1 and set(ledger.entries) == {"a"}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["a\0b", "\ud800", "done"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
FIELDS = st.sampled_from(
    [(name,) for name in ("key", "status", "input", "outputs", "settings", "seed", "seconds", "error", "finished")]
    + [("folder",), ("outputs", 0)]
    + [("outputs", 0, name) for name in ("path", "sha256", "size", "mtime_ns", "found", "other")]
)


@settings(max_examples=300, deadline=None)
@given(FIELDS, ANY, st.booleans())
def test_a_value_of_any_kind_in_any_field_ends_no_run(tmp_path_factory, field, value, promised):
    folder = tmp_path_factory.mktemp("any")
    data = json.loads(entry("a", 1.0).to_line())
    *outer, name = field
    place = data
    for step in outer:
        place = place[step]
    place[name] = value
    lines = [{"promise": data} if promised else data, {"pins": value}, {"pins": {"threads": value}}, {"promise": value}]
    (folder / NAME).write_bytes(HEADER + b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    ledger = Ledger(folder / NAME)
    assert ledger.threads is None or isinstance(ledger.threads, int)
    for jobs in ([], [Job(Source(folder / "a"), None, "", key="a")]):
        list(verify(ledger, jobs))
    for path in list(ledger.promises):
        ledger.origin(folder / path)
    for one in [*ledger.entries.values(), entry("a", 3.0), entry("b", 3.0)]:
        ledger.append(one, {"seed": 7})
    assert Ledger(folder / NAME).entries["b"] == entry("b", 3.0)
    ledger.close()


def test_files_that_are_no_ledgers(tmp_path):
    Image.new("RGB", (4, 4)).save(str(tmp_path / "a.png"))
    with pytest.raises(OptionError, match=r"a\.png is no ledger"):
        Ledger(tmp_path / "a.png")
    with pytest.raises(OutputError, match="cannot be read"):
        Ledger(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"):
        Ledger(tmp_path / "file" / NAME)
