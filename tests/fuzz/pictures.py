"""Mutated pictures through the reader and the writers: ``python -m tests.fuzz.pictures --count 5000``.

Each must end in success or in one SRDiffError of one line, within 20 seconds and 2 GiB, and leave no file. A process of
its own does the work, so that a crash or a hang is a finding with a number, from which the file can be made again.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Callable, Iterator

import numpy as np
from PIL import Image

from srdiff.errors import SRDiffError
from srdiff.photo.read import count_frames, read_photo
from srdiff.photo.unkept import unkept
from srdiff.photo.write import FORMATS, write_photo

from ..runtime.kept_table import things
from ..runtime.pictures import PHOTOS, encoded, png_bytes, smooth

ROOT = Path(__file__).parents[2]
SECONDS = 20
MEMORY = 2 << 30
WRITTEN_PIXELS = 1_000_000  # larger pictures are read only: writing them costs time for their size alone
EXTREME = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def originals() -> list[bytes]:
    """Small files of every kind that can be made here."""
    files = [data for thing in things().values() for data in thing.files.values()]
    files += [png_bytes(samples) for samples, _ in PHOTOS.values()]
    files.append(png_bytes(smooth(13, 17), interlace=True))
    colour, grey = Image.fromarray(smooth(40, 33)), Image.fromarray(smooth(40, 33)[..., 0])
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        files.append(encoded(colour, "TIFF", compression=compression))
    deep = np.arange(40 * 33, dtype=np.uint16).reshape(40, 33) * 49
    for samples in (deep, deep.astype(np.float32) / 65535, deep.astype(np.int32)):
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate"):
            files.append(encoded(Image.fromarray(samples), "TIFF", compression=compression))
    files += [encoded(image, name) for image in (colour, grey) for name in ("BMP", "PPM", "GIF", "JPEG", "WEBP")]
    files += [encoded(colour, "JPEG", progressive=True), encoded(colour.convert("CMYK"), "JPEG")]
    files += [encoded(colour.quantize(7), name) for name in ("PNG", "BMP", "TIFF")]
    frames = [Image.new("RGB", (20, 16), value) for value in ("red", "lime", "blue")]
    for name in ("GIF", "PNG", "WEBP", "TIFF"):
        files.append(encoded(frames[0], name, save_all=True, append_images=frames[1:]))
    if "AVIF" in Image.SAVE:
        files.append(encoded(colour, "AVIF"))
    return files


def suffix(number: int) -> str:
    """Of the file of this number: TGA has no signature, so that it goes by its name."""
    return ".tga" if number % 25 == 0 else ""


def mutated(files: list[bytes], number: int) -> bytes:
    """The file of this number: one of the originals with one to four changes, a PNG's CRCs put right half the time."""
    random = np.random.default_rng([number, 12])
    data = bytearray(files[random.integers(len(files))])
    if suffix(number):
        data = bytearray(encoded(Image.fromarray(smooth(40, 33)), "TGA", compression="tga_rle" if number % 2 else None))
    for _ in range(random.integers(1, 5)):
        if len(data) < 4:
            break
        CHANGES[random.integers(len(CHANGES))](data, random, files)
    if data.startswith(b"\x89PNG") and random.random() < 0.5:
        _mend_crcs(data)
    return bytes(data)


Change = Callable[[bytearray, np.random.Generator, "list[bytes]"], None]


def _flip(data: bytearray, random: np.random.Generator, _: list[bytes]) -> None:
    data[random.integers(len(data))] ^= 1 << int(random.integers(8))


def _extreme(data: bytearray, random: np.random.Generator, _: list[bytes]) -> None:
    """A number of 8, 16 or 32 bits at its limits, in either order, more often where headers are."""
    place = int(random.integers(len(data) if random.random() < 0.5 else min(len(data), 200)))
    value = EXTREME[random.integers(len(EXTREME))]
    kind = "BHI"[random.integers(3)]
    word = struct.pack("<>"[random.integers(2)] + kind, value & (1 << 8 * struct.calcsize(kind)) - 1)
    data[place : place + len(word)] = word


def _cut(data: bytearray, random: np.random.Generator, _: list[bytes]) -> None:
    del data[int(random.integers(1, len(data))) :]


def _remove(data: bytearray, random: np.random.Generator, _: list[bytes]) -> None:
    start = int(random.integers(len(data)))
    del data[start : start + int(random.integers(1, 40))]


def _repeat(data: bytearray, random: np.random.Generator, _: list[bytes]) -> None:
    start = int(random.integers(len(data)))
    part = data[start : start + int(random.integers(1, 200))]
    data[start:start] = part * int(random.integers(1, 20))


def _splice(data: bytearray, random: np.random.Generator, files: list[bytes]) -> None:
    other = files[random.integers(len(files))]
    start, place = int(random.integers(len(other))), int(random.integers(len(data)))
    part = other[start : start + int(random.integers(1, 200))]
    data[place : place + len(part)] = part


CHANGES: tuple[Change, ...] = (_flip, _flip, _extreme, _extreme, _extreme, _cut, _remove, _repeat, _splice)


def _mend_crcs(data: bytearray) -> None:
    place = 8
    while place + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, place)
        if place + 12 + size > len(data):
            return
        crc = zlib.crc32(data[place + 4 : place + 8 + size])
        struct.pack_into(">I", data, place + 8 + size, crc)
        place += 12 + size


def passed_through(data: bytes, folder: Path, name: str = "in") -> str:
    """Reads a file, and writes what it holds in every format: the refusal, or an empty string.

    Raises AssertionError for a refusal of several lines and for a file left behind; passes whatever else is raised.
    """
    source = folder / name
    source.write_bytes(data)
    refusal = ""
    try:
        photo = read_photo(source, frame=count_frames(source) - 1)
        for format in FORMATS if photo.pixels[..., 0].size <= WRITTEN_PIXELS else ():
            unkept(photo, format)
            target = folder / f"out.{format}"
            try:
                write_photo(photo, target, format)
            except SRDiffError as error:
                refusal = str(error)
            else:
                back = read_photo(target)
                assert back.pixels.shape == photo.pixels.shape, format
                target.unlink()
    except SRDiffError as error:
        refusal = str(error)
    source.unlink()
    assert list(folder.iterdir()) == [], "a file is left"
    assert "\n" not in refusal, refusal
    return refusal


def _peak_memory() -> int:
    """Bytes, since the last call where the system can count from there."""
    with suppress(OSError):
        status = Path("/proc/self/status").read_text()
        Path("/proc/self/clear_refs").write_text("5")
        return int(status.split("VmHWM:")[1].split()[0]) << 10
    return 0


def _work(numbers: Iterator[int], folder: Path) -> None:
    """The child's side: a line of JSON when a file begins, one when it ends."""
    files = originals()
    _peak_memory()
    for number in numbers:
        print(json.dumps({"begin": number}), flush=True)
        data = mutated(files, number)
        started = time.perf_counter()
        problem = ""
        try:
            refusal = passed_through(data, folder, f"in{suffix(number)}")
        except BaseException as error:  # anything at all is a finding
            problem, refusal = f"{type(error).__name__}: {error}", ""
            for file in folder.iterdir():
                file.unlink()
        seconds, memory = time.perf_counter() - started, _peak_memory()
        record = {"end": number, "problem": problem, "refusal": refusal, "seconds": seconds, "memory": memory}
        print(json.dumps(record), flush=True)


def run(first: int, count: int) -> list[str]:
    """All findings among the files of these numbers, and a summary on standard output."""
    findings: list[str] = []
    ended = refused = 0
    slowest = largest = 0.0
    number, stop = first, first + count
    while number < stop:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", __spec__.name, "--first", str(number), "--count", str(stop - number)]
            child = subprocess.Popen([*command, "--worker", folder], stdout=subprocess.PIPE, text=True, cwd=ROOT)
            assert child.stdout is not None
            for line in child.stdout:
                record = json.loads(line)
                if "begin" in record:
                    number = record["begin"]
                    continue
                ended += 1
                number += 1
                refused += bool(record["refusal"])
                slowest, largest = max(slowest, record["seconds"]), max(largest, record["memory"])
                if record["problem"]:
                    findings.append(f"{record['end']}: {record['problem']}")
                if record["seconds"] > SECONDS or record["memory"] > MEMORY:
                    findings.append(f"{record['end']}: {record['seconds']:.1f} s, {record['memory'] >> 20} MiB")
            if child.wait() != 0:
                findings.append(f"{number}: the process ended with {child.returncode}")
                number += 1
    print(
        f"{ended} files ended, {refused} of them in a refusal; {slowest:.1f} s and {largest / 2**20:.0f} MiB at most; "
        f"{len(findings)} findings"
    )
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--write", type=Path, help="write the first file here, and leave")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        _work(iter(range(options.first, options.first + options.count)), options.worker)
        return
    if options.write:
        options.write.write_bytes(mutated(originals(), options.first))
        return
    findings = run(options.first, options.count)
    print("\n".join(findings))
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
