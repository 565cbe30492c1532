"""``srdiff-models``: the models that ``--model NAME`` finds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from ..atomic_folders import kept_if_filled
from ..bundle import Bundle
from ..download import download
from ..errors import OptionError, SRDiffError
from ..model_names import added, built_in, bundle_folder, models_folder
from ..model_store import add_bundle, check_files, free_place, name_of, remove_bundle
from .command import CONTEXT, Command, OneSentence, table
from .saying import say, tell
from .version import version_option


class _Group(OneSentence, click.Group):
    """Its commands are :class:`Command`, and it has their ``-h`` and ``--version``."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(version_option())


@click.group(cls=_Group, context_settings=CONTEXT)
def main() -> None:
    """Keep the models that --model NAME finds.

    Some come with the package; added ones are kept as plain folders in $SRDIFF_MODELS, or in
    ~/.local/share/srdiff/models.
    """


@main.command("list")
def list_models() -> None:
    """Say what there is."""
    rows = []
    for name, folder in {**added(), **built_in()}.items():
        try:
            rows.append(_row(name, folder))
        except SRDiffError as error:
            rows.append([name, "", "", "", str(error)])
    tell(table(["model", "scale", "steps", "MB", "where"], rows))


@main.command()
@click.argument("source")
@click.option("--name", help="What --model will take.  [default: the source's own name]")
@click.option("--sha256", help="Of the file at an address: what its publisher states.")
def add(source: str, name: str | None, sha256: str | None) -> None:
    """Add a bundle: a folder, a zip or an address.

    Nothing is fetched but what is named here, and it is opened only after its hash was checked. An address that was cut
    off goes on where it stopped.
    """
    if "://" not in source:
        if sha256 is not None:
            raise OptionError("--sha256 belongs to an address; a folder's files are checked by its manifest")
        bundle = add_bundle(Path(source), name)
    else:
        if sha256 is None:
            raise OptionError(f"{source} is an address, and what comes from there is checked first; add its --sha256")
        name = name_of(source.rstrip("/").rpartition("/")[2]) if name is None else name
        free_place(name)
        with kept_if_filled(models_folder()):
            bundle = _add_from(source, sha256, name)
    tell(f"added {bundle.path}: srdiff-run in.png --model {bundle.path.stem}")


def _add_from(url: str, sha256: str, name: str) -> Bundle:
    with tqdm(unit="B", unit_scale=True, disable=None, leave=False) as bar:

        def told(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        file = download(url, sha256, models_folder(), told)
    try:
        return add_bundle(file, name)
    finally:
        file.unlink()


@main.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a model that was added.

    What else lies in its folder stays; of a link only the link goes.
    """
    left = remove_bundle(name)
    tell(f"removed {name}" + (f"; its folder keeps what is no part of it: {', '.join(left)}" if left else ""))


@main.command()
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check every file of models by its hash.

    Those named, or all; a damaged one does not keep the others from it.
    """
    known = {**added(), **built_in()}
    worst = 0
    for name in names or known:
        try:
            check_files(Bundle(bundle_folder(name) if names else known[name]))
        except SRDiffError as error:
            say(f"Error: {error}")
            worst = max(worst, error.exit_code)
        else:
            tell(f"{name}: every file is as it was exported")
    if worst:
        sys.exit(worst)


def _row(name: str, folder: Path) -> list[Any]:
    bundle = Bundle(folder)
    manifest = bundle.manifest
    size = sum((folder / file).stat().st_size for file in bundle.file_names)
    steps = manifest.student_steps or manifest.sampler().steps or manifest.steps
    return [name, str(manifest.scale), str(steps), f"{size / 1e6:.0f}", str(folder)]


if __name__ == "__main__":
    main()
