"""Where results go: never onto an input, never two onto one another."""

from __future__ import annotations

import stat
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from ..diversity import Wanted
from ..errors import OptionError, OutputError, SRDiffError
from ..looking import is_folder, is_stream, is_there
from ..photo.write import FORMATS, format_of
from .identity import identity, noted, same_file, spelling
from .sources import STREAM, Source, require_path

DEFAULT_FORMAT = "png"


@dataclass(frozen=True)
class Job:
    """One image to make.

    Attributes:
        source: what is read.
        target: the result's file, from which names of several results derive; None is standard output.
        format: of the result, a key of :data:`srdiff.photo.write.FORMATS`.
        problem: why it cannot be done, known before it begins.
        key: what the image is called among those of its batch, wherever that lies.
    """

    source: Source
    target: Path | None
    format: str
    problem: SRDiffError | None = None
    key: str = ""


@dataclass(frozen=True)
class Destination:
    """Where a caller wants results.

    Attributes:
        output: a file, a folder, or ``-`` for standard output; None is beside each input.
        format: a key of FORMATS; None takes the output's suffix, else png.
        suffix: put behind a name where the result lies beside its input, like ``_x4``.

    Raises:
        OptionError: the output is empty or a URL, the format is unknown or contradicts its suffix, or the suffix is no
            part of a name.
    """

    output: str | None = None
    format: str | None = None
    suffix: str = "_x4"

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise OptionError(f"format is {self.format!r}; choose one of {', '.join(FORMATS)}")
        if self.output is not None:
            require_path("output", self.output)
        if any(sign in self.suffix for sign in "/\\\0"):
            raise OptionError(f"suffix is {self.suffix!r}; it is part of a file name and holds no slash")
        named = self._format_of_output()
        if self.format is not None and named is not None and named != self.format:
            raise OptionError(
                f"output {self.output} asks for {named} and format for {self.format}; leave out one of them"
            )

    def _format_of_output(self) -> str | None:
        """What the output's suffix asks for, where it is a file's name with a suffix that can be written."""
        if self.output is None or self.output == STREAM or is_folder(self.output):
            return None
        try:
            return format_of(self.output)
        except OptionError:
            return None

    def jobs(self, sources: list[Source], wanted: Wanted) -> list[Job]:
        """A job for each source. Those whose results would meet an input or one another are named apart where that
        helps, and have their problem noted where it does not.

        Raises:
            OptionError: the output does not suit the sources.
        """
        if self.output == STREAM or (self.output is None and sources == [Source(None)]):
            if len(sources) != 1:
                raise OptionError(
                    f"standard output takes one image and {len(sources)} were given; name a folder as output"
                )
            wanted.targets(None)
            return [Job(sources[0], None, self.format or DEFAULT_FORMAT, key=sources[0].name)]
        if self.output is not None and not self._is_folder(sources):
            format, target = self.format or self._format_of_file(self.output), Path(self.output)
            jobs = [
                Job(source, target.with_name(target.stem + _frame(source) + target.suffix), format)
                for source in sources
            ]
        else:
            jobs = [self._beside_or_in_folder(source) for source in sources]
            crowded = _crowded(jobs, wanted)
            apart = [
                self._beside_or_in_folder(job.source, whole_name=True) if job.target in crowded else job for job in jobs
            ]
            still = _crowded(apart, wanted)
            jobs = [job if named.target in still else named for job, named in zip(jobs, apart)]
        return _checked(jobs, wanted)

    def folder(self, sources: list[Source]) -> Path | None:
        """Where the results of a batch are: the output folder, or the one beside the folder that was given. None where
        there is no such one.
        """
        folders = {source.folder for source in sources}
        if self.output is not None:
            is_batch = len(sources) > 1 or folders != {None}
            return Path(self.output) if is_batch and self.output != STREAM and self._is_folder(sources) else None
        given = folders.pop() if len(folders) == 1 else None
        return None if given is None else self._beside(given)

    def _beside(self, folder: Path) -> Path:
        # resolved, since . and .. have no name to put a suffix to
        named = folder if folder.name not in ("", "..") else folder.resolve()
        return named.with_name(named.name + self.suffix)

    def _is_folder(self, sources: list[Source]) -> bool:
        """Whether the output is a folder, present or to be made."""
        assert self.output is not None
        from_folder = any(source.folder is not None for source in sources)
        if is_folder(self.output) or self.output.endswith(("/", "\\")):
            return True
        if (len({source.path for source in sources}) == 1 and not from_folder) or not sources:
            return False
        if self._format_of_output() is not None or is_there(self.output):
            raise OptionError(
                f"{len(sources)} images were given and output {self.output} is one file; name a folder, ending in /"
            )
        return True

    def _format_of_file(self, output: str) -> str:
        if not Path(output).suffix and is_stream(output):
            return DEFAULT_FORMAT  # a device or pipe
        return format_of(output)

    def _beside_or_in_folder(self, source: Source, whole_name: bool = False) -> Job:
        """A source's result in the output folder, or beside the source or its folder.

        Args:
            whole_name: keep the source's suffix in the result's name: p.jpg -> p.jpg_x4.png.
        """
        if source.path is None:
            raise OptionError("the result of standard input needs a file name; give one as output")
        format = self.format or DEFAULT_FORMAT
        name = source.path.name if whole_name else source.path.stem
        if self.output is not None:
            parent, suffix = Path(self.output), ""
        elif source.folder is not None:
            parent, suffix = self._beside(source.folder), ""
        else:
            parent, suffix = source.path.parent, self.suffix
        if source.folder is not None:
            parent = parent / source.path.parent.relative_to(source.folder)
        if same_file(parent, source.path.parent):
            suffix = self.suffix
        return Job(source, parent / (name + suffix + _frame(source) + FORMATS[format][0]), format)


def _frame(source: Source) -> str:
    """What a result's name says of the frame, counted from 1."""
    return "" if source.frame is None else f"_f{source.frame + 1:04}"


def finished(target: Path) -> bool:
    """Whether there is a file at the target already: devices, pipes and folders are no results.

    Raises:
        OutputError: the system does not even look, as for names that are too long.
    """
    try:
        return stat.S_ISREG(target.stat().st_mode)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{target} cannot be written ({reason}); choose another output") from error


def _checked(jobs: list[Job], wanted: Wanted) -> list[Job]:
    """The jobs with the problems that their targets have."""
    crowded = _crowded(jobs, wanted)
    inputs = {identity(job.source.path): job.source.path for job in jobs if job.source.path is not None}

    def problem(job: Job) -> SRDiffError | None:
        if job.target is None:
            return None
        for target in wanted.targets(job.target):
            assert target is not None
            if identity(target) in inputs:
                return OutputError(
                    f"the result of {job.source.name} would replace the input {inputs[identity(target)]}; "
                    "choose another output or suffix"
                )
        if job.target in crowded:
            return OutputError(
                f"{job.source.name} and another input would both become {job.target}; enlarge them apart"
            )
        return None

    return [replace(job, problem=problem(job), key=key) for job, key in zip(jobs, _keys(jobs))]


def _keys(jobs: list[Job]) -> list[str]:
    """The paths within the folder that all come from, or else as they were given; and the frame."""
    folders = {job.source.folder for job in jobs}
    common = folders.pop() if len(folders) == 1 else None

    def key(source: Source) -> str:
        path = Path(source.name) if source.path is None or common is None else source.path.relative_to(common)
        return noted(path.as_posix()) + _frame(source)

    return [key(job.source) for job in jobs]


def _crowded(jobs: list[Job], wanted: Wanted) -> set[Path]:
    """Targets of jobs of which some result, derived names included, would be another job's, too."""
    names = [
        (job.target, spelling(target)) for job in jobs if job.target for target in wanted.targets(job.target) if target
    ]
    count = Counter(key for _, key in names)
    return {target for target, key in names if count[key] > 1}
