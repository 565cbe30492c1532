"""The bundle: a folder with a manifest, two graphs and the time-bias table. Reading it executes nothing."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from .errors import BundleError, OptionError
from .graph_io import input_shapes
from .resize import BORDERS, ROUNDINGS, bicubic
from .samplers import DDPM, Plan, Sampler, student_plan
from .schedule import Schedule

FORMAT = "srdiff-bundle"
FORMAT_VERSION = 2
MANIFEST_NAME = "manifest.json"
TIME_BIAS_NAME = "time_bias.npy"
MODELS = Path(__file__).parent / "models"
BUILT_IN = {"small-v1": MODELS / "small.srdiff", "clean": MODELS / "clean.srdiff"}
DEFAULT_BUNDLE = BUILT_IN["small-v1"]
PREDICTIONS = ("eps", "x0")
CLAMP_LIMIT = 1.0


# LR pixels around a rectangle that its bicubic enlargement depends on.
CONTEXT = 2


@dataclass(frozen=True)
class LrUpRecipe:
    """How the enlarged input that the residual is added to was made in training.

    Attributes:
        border: see :func:`srdiff.resize.bicubic`.
        rounding: to 8 bits, ``half_up`` or ``half_even``; ``none`` keeps fractions.
        divisor: what stands for white: 255, or 256 in the authors' PyTorch code.
    """

    border: str = "symmetric"
    rounding: str = "half_even"
    divisor: int = 255

    def __post_init__(self) -> None:
        if self.border not in BORDERS or self.rounding not in (*ROUNDINGS, "none") or self.divisor not in (255, 256):
            raise OptionError(f"the lr_up recipe {self} is unknown; export the model anew")

    def apply(self, pixels: np.ndarray, height: int, width: int) -> np.ndarray:
        """Integer pixels [h, w, 3] -> lr_up [3, height, width] float32 in about [-1, 1].

        8-bit input is rounded as in training; deeper input never is.
        """
        white = np.iinfo(pixels.dtype).max
        if self.rounding == "none" or white > 255:
            enlarged = bicubic(pixels.astype(np.float64) * (255 / white), height, width, self.border)
        else:
            enlarged = bicubic(pixels, height, width, self.border, self.rounding).astype(np.float64)
        return np.ascontiguousarray((enlarged * (2 / self.divisor) - 1).transpose(2, 0, 1).astype(np.float32))

    def crop(self, pixels: np.ndarray, top: int, left: int, height: int, width: int, scale: int) -> np.ndarray:
        """A rectangle of the whole image's lr_up, [3, scale * height, scale * width], equal to the last bit.

        Args:
            pixels: the whole input, integers [h, w, 3].
            top, left, height, width: of the rectangle in LR pixels.
            scale: of the enlargement, a power of two.
        """
        above, before = min(top, CONTEXT), min(left, CONTEXT)
        window = pixels[top - above : top + height + CONTEXT, left - before : left + width + CONTEXT]
        enlarged = self.apply(window, window.shape[0] * scale, window.shape[1] * scale)
        return enlarged[:, above * scale :, before * scale :][:, : height * scale, : width * scale]


@dataclass(frozen=True)
class GraphFiles:
    """One exported pair of graphs.

    Attributes:
        format: ``onnx``, ``mindir``, or ``om`` (which no engine here runs).
        encoder, step: file names in the bundle; graphs of several sizes are named once for each.
        lr_shape: the static (height, width) of lr; None where the graphs take any size.
        precision: of the network, ``fp32`` or ``fp16``, where a converter has compiled it in; None where the engine
            decides.
    """

    format: str
    encoder: str
    step: str
    lr_shape: tuple[int, int] | None = None
    precision: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What a runtime must know of a model.

    Attributes:
        name: of the model.
        scale: side of the result over side of the input.
        hr_multiple, hr_minimum: sides of the result that the UNet takes: multiples of the one, at least the other.
        schedule: noise schedule of training.
        res_rescale: the diffused residual is (hr - lr_up) * res_rescale.
        clip_denoised: x_0 is clamped to [-1, 1] within each step.
        lr_up: how the enlarged input is made.
        up_input: the step graph takes lr_up as an input, too.
        global_context: a pixel depends on the whole image (attention), not on its surroundings only.
        cond_channels: channels of the encoder's result.
        time_bias_channels: channels of the time-bias table.
        weights_dtype: ``float32`` or ``float16``, as stored.
        margin: mirrored LR pixels put around an image and cropped from its result, for models whose borders are poor.
        graphs: the exported graphs, at least one pair.
        prediction: what the network gives: the noise, ``eps``, or ``x0``. The latter is a student, which has one way to
            be sampled and no other. Bundles of format 1 have ``eps``.
        student_steps: of a student, the steps of that way; None for ``eps``.
        overlap: that windows need, in LR pixels; None where nobody measured it.
        checkpoint: the file that the graphs were exported from, in the bundle; empty where it is not there.
        network, producer, parity, origin: sizes, versions, the export's report, where weights and licence come from;
            for the reader.
    """

    name: str
    scale: int
    hr_multiple: int
    hr_minimum: int
    schedule: Schedule
    res_rescale: float
    clip_denoised: bool
    lr_up: LrUpRecipe
    up_input: bool
    global_context: bool
    cond_channels: int
    time_bias_channels: int
    weights_dtype: str
    margin: int
    graphs: tuple[GraphFiles, ...]
    prediction: str = "eps"
    student_steps: int | None = None
    overlap: int | None = None
    checkpoint: str = ""
    network: dict[str, Any] = field(default_factory=dict)
    producer: dict[str, str] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        positive = (
            self.scale,
            self.hr_multiple,
            self.hr_minimum,
            self.cond_channels,
            self.time_bias_channels,
        )
        if min(positive) < 1 or not self.res_rescale > 0 or not self.graphs:
            raise OptionError("a size is below one, or there is no graph")
        if self.margin < 0:
            raise OptionError(f"margin is {self.margin}; it is at least 0")
        if self.prediction not in PREDICTIONS or (self.prediction == "x0") != (self.student_steps is not None):
            raise OptionError(f"prediction {self.prediction!r} does not go with {self.student_steps} student_steps")
        if self.student_steps is not None and not 1 <= self.student_steps <= self.schedule.timesteps:
            raise OptionError(f"student_steps is {self.student_steps}; it is 1 to {self.schedule.timesteps}")
        if self.overlap is not None and self.overlap < 0:
            raise OptionError(f"overlap is {self.overlap}; it is at least 0")
        if self.hr_minimum % self.hr_multiple:
            raise OptionError(f"hr_minimum {self.hr_minimum} is no multiple of hr_multiple {self.hr_multiple}")

    def input_shapes(self, graph: str, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """The shape of every input of the encoder or step graph, in order, for windows of height x width LR pixels."""
        return input_shapes(
            graph, height, width, self.scale, self.cond_channels, self.time_bias_channels, self.up_input
        )

    def plan(self, sampler: Sampler) -> Plan:
        """The sampler's table for this model.

        Raises:
            OptionError: more steps than the schedule has; for a student, any wish at all.
        """
        if self.student_steps is None:
            return sampler.plan(self.schedule)
        if sampler != DDPM:
            raise OptionError(
                f"{self.name} is a student: it was trained to go from noise to the result in {self.student_steps} "
                f"step{'s' if self.student_steps > 1 else ''} and has no other sampler; leave out sampler, steps, eta "
                "and spacing, or take the model that it learned from"
            )
        return student_plan(self.schedule, self.student_steps)

    @property
    def steps(self) -> int:
        """Of the whole way: a student's own, or all timesteps."""
        return self.student_steps or self.schedule.timesteps

    @property
    def quickest(self) -> Sampler:
        """The sampler of the fewest steps that the model has."""
        return Sampler(steps=1) if self.student_steps is None else DDPM

    def sampling_label(self, sampler: Sampler) -> str:
        """For a reader: the sampler and its steps."""
        if self.student_steps is None:
            return sampler.label(self.schedule)
        return f"student, {self.student_steps} step{'s' if self.student_steps > 1 else ''}"

    @property
    def _version(self) -> int:
        """The oldest format that a reader must know: one that does not know students would sample them wrongly."""
        return FORMAT_VERSION if self.student_steps is not None else 1

    def to_json(self, files: dict[str, dict[str, Any]]) -> str:
        """The manifest file's text; ``files`` is {name: {"sha256", "size"}}."""
        body = {"format": FORMAT, "format_version": self._version, **_plain(self), "files": files}
        return json.dumps(body, indent=1) + "\n"

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Manifest:
        """Raises KeyError, TypeError, ValueError or OptionError for what does not fit."""
        values = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        values["schedule"] = Schedule(data["schedule"]["name"], tuple(map(float, data["schedule"]["betas"])))
        values["lr_up"] = LrUpRecipe(**data["lr_up"])
        values["graphs"] = tuple(_graph_files(entry) for entry in data["graphs"])
        for name, kind in (
            ("name", str),
            ("clip_denoised", bool),
            ("up_input", bool),
            ("global_context", bool),
        ):
            if not isinstance(data[name], kind):
                raise TypeError(f"{name} is not a {kind.__name__}")
        for name in ("scale", "hr_multiple", "hr_minimum", "cond_channels", "time_bias_channels", "margin"):
            if type(data[name]) is not int:
                raise TypeError(f"{name} is not a whole number")
        for name in ("student_steps", "overlap"):
            if data.get(name) is not None and type(data[name]) is not int:
                raise TypeError(f"{name} is not a whole number")
        values["res_rescale"] = float(data["res_rescale"])
        return cls(**values)


def _plain(value: Any) -> Any:
    """Data classes and tuples as JSON types."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _graph_files(entry: dict[str, Any]) -> GraphFiles:
    shape = entry["lr_shape"]
    lr_shape = None if shape is None else (shape[0], shape[1])
    return GraphFiles(entry["format"], entry["encoder"], entry["step"], lr_shape, entry.get("precision"))


def bundle_folder(model: Path | str | None) -> Path:
    """Where a model lies: a folder, or the name of one that comes with the package; None is the default one."""
    if model is None:
        return DEFAULT_BUNDLE
    return BUILT_IN.get(str(model), Path(model)) if not Path(model).exists() else Path(model)


class Bundle:
    """A bundle on disk whose manifest has been read and whose files are there.

    Args:
        path: the bundle's folder.

    Raises:
        BundleError: not a bundle, a newer format version, a missing file or one of another size, or a file name
            that leads out of the folder.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        data = _read_manifest(self.path)
        try:
            self.manifest = Manifest.from_json(data)
            self._files = {name: (str(entry["sha256"]), int(entry["size"])) for name, entry in data["files"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            detail = f"lacks {error}" if isinstance(error, KeyError) else f"is invalid: {error}"
            raise BundleError(f"{self.path / MANIFEST_NAME} {detail}; export the model anew") from error
        for graph in self.manifest.graphs:
            for name in (graph.encoder, graph.step, TIME_BIAS_NAME):
                if name not in self._files:
                    raise BundleError(f"{self.path / MANIFEST_NAME} does not list {name}; export the model anew")
        if self.manifest.checkpoint and self.manifest.checkpoint not in self._files:
            raise BundleError(f"{self.path / MANIFEST_NAME} does not list {self.manifest.checkpoint}; copy it again")
        for name, (_, size) in self._files.items():
            self._check_file(name, size)

    def _check_file(self, name: str, size: int) -> None:
        # A bundle may come from a stranger: nothing outside its folder is opened on its behalf.
        if PurePosixPath(name).name != name or "\\" in name or name in ("", ".", ".."):
            raise BundleError(f"{self.path} lists the file {name!r}, which leads out of its folder; do not use it")
        file = self.path / name
        if file.is_symlink():
            raise BundleError(f"{file} is a link, which a bundle may not hold; copy the file itself")
        if not file.is_file():
            raise BundleError(f"{self.path} lacks {name}, which its manifest lists; copy the bundle again")
        if file.stat().st_size != size:
            raise BundleError(
                f"{file} has {file.stat().st_size} bytes where the manifest says {size}; copy the bundle again"
            )

    @property
    def formats(self) -> tuple[str, ...]:
        """Of its graphs: ``onnx``, ``mindir`` or both."""
        return tuple(dict.fromkeys(graph.format for graph in self.manifest.graphs))

    @property
    def file_names(self) -> tuple[str, ...]:
        return tuple(self._files)

    def read(self, name: str) -> bytes:
        """The bytes of a file that the manifest lists, checked against its hash.

        Raises:
            BundleError: the bytes are not those that were exported.
        """
        content = (self.path / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != self._files[name][0]:
            raise BundleError(
                f"{self.path / name} was changed since its export: its SHA-256 is not the manifest's; "
                "copy the bundle again"
            )
        return content

    def time_bias(self) -> np.ndarray:
        """The time bias of every t: [timesteps, time_bias_channels] float32."""
        try:
            table = np.load(io.BytesIO(self.read(TIME_BIAS_NAME)), allow_pickle=False)
        except ValueError as error:
            raise BundleError(f"{self.path / TIME_BIAS_NAME} is not a plain array; export the model anew") from error
        expected = (self.manifest.schedule.timesteps, self.manifest.time_bias_channels)
        if table.shape != expected or table.dtype != np.float32:
            raise BundleError(
                f"{self.path / TIME_BIAS_NAME} is {table.dtype} {table.shape} where float32 {expected} was expected; "
                "export the model anew"
            )
        return table

    def graph_files(self, format: str) -> tuple[GraphFiles, ...]:
        """The pairs of graphs in ``onnx`` or ``mindir`` format; may be empty."""
        return tuple(graph for graph in self.manifest.graphs if graph.format == format)


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / MANIFEST_NAME
    if not file.is_file():
        raise BundleError(f"{path} is not a bundle: it holds no {MANIFEST_NAME}; give a folder made by srdiff-export")
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(f"{file} is damaged: {error}; copy the bundle again") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BundleError(f"{file} does not describe a bundle of this project; give a folder made by srdiff-export")
    version = data.get("format_version")
    if type(version) is not int or version < 1:
        raise BundleError(f"{file} has format version {version!r}, which never existed; export the model anew")
    if version > FORMAT_VERSION:
        raise BundleError(
            f"{path} has format version {version} and this srdiff reads up to {FORMAT_VERSION}; "
            "run: pip install -U srdiff"
        )
    return data


def write_bundle(path: Path, manifest: Manifest) -> None:
    """Hash the files of an otherwise complete bundle folder and write its manifest."""
    files = {}
    for file in sorted(path.iterdir()):
        content = file.read_bytes()
        files[file.name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (path / MANIFEST_NAME).write_text(manifest.to_json(files), encoding="utf-8")
