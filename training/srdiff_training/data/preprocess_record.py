"""What a folder of prepared images was made from and with, so that a second run need not make it again."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator

from srdiff.atomic_files import atomic_file, cannot_write, make_folder, require_writable
from srdiff.errors import OptionError
from srdiff.unfinished_files import remove_leftovers

FILE_NAME = "preprocess.json"
SECONDS = 5.0  # between two writes: what a killed run may have to make again
IMAGES = "image_*.png"

# "number", "images" made of it, and "stamp": sizes and times of its files
Entry = Dict[str, Any]


class Record:
    """The record of one folder.

    Args:
        folder: holds X1 and another such folder; made with the first image.
        settings: what the images are made with; ``scale`` names the other folder.
        overwrite: remove what is there instead of going on with it.

    Attributes:
        entries: by name of the true image's file.

    Raises:
        OptionError: the folder was made with other settings, or by something else.
        OutputError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], overwrite: bool) -> None:
        self.folder = folder
        self.settings = settings
        self.file = folder / FILE_NAME
        self._sides = (folder / "X1", folder / f"X{settings['scale']}")
        self._written = time.monotonic()
        self.entries: dict[str, Entry] = {} if overwrite else self._read()
        require_writable(self.file)
        try:
            for place in (folder, *self._sides):
                remove_leftovers(place)
            for old in self._old_images() if overwrite else ():
                old.unlink()
        except OSError as error:
            raise cannot_write(folder, error) from error

    def _read(self) -> dict[str, Entry]:
        if not self.file.is_file():
            if any(side.is_dir() and any(side.glob(IMAGES)) for side in self._sides):
                raise OptionError(
                    f"{self.folder} holds images and no {FILE_NAME} that says how they were made; "
                    "choose another --output, or --overwrite to replace them"
                )
            return {}
        try:
            data = json.loads(self.file.read_text(encoding="utf-8"))
            made_with = dict(data["settings"])
            entries = {str(name): _entry(value) for name, value in data["images"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OptionError(f"{self.file} is damaged ({error!r}); make the folder anew with --overwrite") from error
        for name, value in self.settings.items():
            if made_with.get(name) != value:
                raise OptionError(
                    f"{self.folder} was made with {_words(name, made_with.get(name))} and this would be "
                    f"{_words(name, value)}; "
                    "choose another --output, or --overwrite to replace it"
                )
        return entries

    def _old_images(self) -> list[Path]:
        """Of whatever scale."""
        return [path for side in self.folder.glob("X[0-9]*") for path in side.glob(IMAGES)]

    def require_sources(self, names: list[str]) -> None:
        """Raises OptionError where a photo that was used is no longer among these: its images would stay. A photo that
        was skipped has none, and may go.
        """
        gone = sorted({name for name, entry in self.entries.items() if entry["images"]} - set(names))
        if gone:
            raise OptionError(
                f"{self.folder} was made from {gone[0]}, too, which is gone ({len(gone)} in all); "
                "put it back, or --overwrite to make the folder anew"
            )

    def present(self) -> set[str]:
        """Names of the images that are in both folders."""
        first, second = ({path.name for path in side.glob(IMAGES)} for side in self._sides)
        return first & second

    def remove(self, names: list[str]) -> None:
        for side in self._sides:
            for name in names:
                path = side / name
                if path.exists():
                    path.unlink()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Writes the record before the block and after it, however it ends."""
        for side in self._sides:
            make_folder(side / IMAGES)
        self.write()
        try:
            yield
        finally:
            self.write()

    def write(self) -> None:
        body = {"settings": self.settings, "images": self.entries}
        with atomic_file(self.file) as temporary:
            temporary.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        self._written = time.monotonic()

    def write_now_and_then(self) -> None:
        if time.monotonic() - self._written > SECONDS:
            self.write()


def _entry(value: dict[str, Any]) -> Entry:
    return {"number": int(value["number"]), "images": int(value["images"]), "stamp": list(value["stamp"])}


def _words(name: str, value: Any) -> str:
    return f"{'no' if value is None else value} {name.replace('_', ' ')}"
