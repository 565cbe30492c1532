"""What a bundle says of its model: the contract between exporter and runtime, written as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import OptionError
from .graph_files import GraphFiles
from .graph_io import input_shapes
from .lr_up import LrUpRecipe
from .model_names import DEFAULT_MODEL, MANY_STEPS
from .samplers import DDPM, Plan, Sampler, counted, student_plan
from .schedule import MAX_TIMESTEPS, Schedule
from .tiles import MAX_TILE
from .whole import whole

FORMAT = "srdiff-bundle"
# 2 added prediction, presets, default_preset, overlap and checkpoint; 3 added fidelity; 1 opens for ever.
FORMAT_VERSION = 3
PREDICTIONS = ("eps", "x0")
# What commands and requests call the arguments of Manifest.sampler, in its order.
WISHES = ("preset", "sampler", "steps", "eta", "spacing", "fidelity")
MAY_BE_NONE = ("overlap", "student_steps")
CLAMP_LIMIT = 1.0  # x_0 is clamped to -1 to 1
# Of what a manifest says: the least that works, and the most that a network could have.
LIMITS = {
    "scale": (1, 64),
    "hr_multiple": (1, 4096),
    "hr_minimum": (1, 65536),
    "cond_channels": (1, 65536),
    "time_bias_channels": (1, 1 << 20),
    "margin": (0, 1024),
    "overlap": (0, MAX_TILE // 2 - 1),
    "student_steps": (1, MAX_TIMESTEPS),
}
# Far more than anybody chooses from, or converts.
MAX_PRESETS, MAX_GRAPHS = 64, 256
# The preset that every model sampled by its own code has: all steps of DDPM.
FULL = "full"


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
        fidelity: the step graph has the dial between true and sharp as an input, see :class:`srdiff.samplers.Sampler`;
            students alone have it.
        presets: samplers by name, at least ``default_preset``; a student has none.
        default_preset: the one that is taken where nothing is asked for.
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
    fidelity: bool = False
    presets: dict[str, Sampler] = field(default_factory=lambda: {FULL: DDPM})
    default_preset: str = FULL
    overlap: int | None = None
    checkpoint: str = ""
    network: dict[str, Any] = field(default_factory=dict)
    producer: dict[str, str] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if value is not None or name not in MAY_BE_NONE:
                whole(name, value, least, most)
        if not 0 < self.res_rescale < math.inf:
            raise OptionError(f"res_rescale is {self.res_rescale}; it must be a positive number")
        if self.weights_dtype not in ("float32", "float16"):
            raise OptionError(f"weights_dtype is {self.weights_dtype!r}; it is float32 or float16")
        for name, most in (("graphs", MAX_GRAPHS), ("presets", MAX_PRESETS)):
            if not 1 <= len(getattr(self, name)) <= most:
                raise OptionError(f"there are {len(getattr(self, name))} {name}; a model has 1 to {most}")
        self._check_presets()
        if self.prediction not in PREDICTIONS or (self.prediction == "x0") != (self.student_steps is not None):
            raise OptionError(f"prediction {self.prediction!r} does not go with {self.student_steps} student_steps")
        if self.fidelity and self.student_steps is None:
            raise OptionError("fidelity goes with the prediction x0 alone")
        if self.student_steps is not None and self.student_steps > self.schedule.timesteps:
            raise OptionError(f"student_steps is {self.student_steps}; it is 1 to {self.schedule.timesteps}")
        if self.hr_minimum % self.hr_multiple:
            raise OptionError(f"hr_minimum {self.hr_minimum} is no multiple of hr_multiple {self.hr_multiple}")
        if self.overlap is not None and self.overlap % self.lr_multiple:
            raise OptionError(f"overlap is {self.overlap}; it must be a multiple of {self.lr_multiple}")

    def _check_presets(self) -> None:
        if self.default_preset not in self.presets:
            raise OptionError(f"the default preset {self.default_preset!r} is none of {', '.join(self.presets)}")
        for sampler in self.presets.values():
            counted(self.schedule.timesteps, sampler.steps)

    @property
    def lr_multiple(self) -> int:
        """Sides of windows and overlaps in LR pixels are multiples of it, as those of the result are of hr_multiple."""
        return self.hr_multiple // math.gcd(self.hr_multiple, self.scale)

    def input_shapes(self, graph: str, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """The shape of every input of the encoder or step graph, in order, for windows of height x width LR pixels."""
        return input_shapes(
            graph,
            height,
            width,
            self.scale,
            self.cond_channels,
            self.time_bias_channels,
            self.up_input,
            self.fidelity,
        )

    def sampler(
        self,
        preset: str | None = None,
        name: str | None = None,
        steps: int | None = None,
        eta: float | None = None,
        spacing: str | None = None,
        fidelity: float | None = None,
    ) -> Sampler:
        """What a caller's wishes come to; None stands for no wish.

        Args:
            preset: a name in ``presets``. Any other wish leaves the presets altogether, so that ``steps`` never meets
                the spacing of one.
            name, steps, eta, spacing, fidelity: see :class:`srdiff.samplers.Sampler`.

        Raises:
            OptionError: there is no such preset, or it was named beside another wish; for a student, any wish but
                fidelity; fidelity for a model without that dial.
        """
        if fidelity is not None and not self.fidelity:
            raise self._refusal_of_fidelity()
        wishes: dict[str, Any] = {"name": name, "steps": steps, "eta": eta, "spacing": spacing}
        given = {wish: value for wish, value in wishes.items() if value is not None}
        if self.student_steps is not None and (preset is not None or given):
            raise self._refusal_of_wishes()
        if fidelity is not None:
            return Sampler(fidelity=fidelity)
        if preset is None:
            return Sampler(**given) if given else self.presets[self.default_preset]
        if given:
            raise OptionError(f"preset {preset!r} was named beside {', '.join(given)}; leave out the one or the other")
        if preset not in tuple(self.presets):
            raise OptionError(f"{self.name} has no preset {preset!r}; choose one of {', '.join(self.presets)}")
        return self.presets[preset]

    def _refusal_of_wishes(self) -> OptionError:
        who = f"{self.name}, the default model," if self.name == DEFAULT_MODEL.stem else self.name
        return OptionError(
            f"{who} is a student: it makes its picture in {self.student_steps} "
            f"step{'s' if self.student_steps != 1 else ''} and has no other sampler; take a model of many steps, like "
            f"model={MANY_STEPS}, or leave out preset, sampler, steps, eta and spacing"
        )

    def _refusal_of_fidelity(self) -> OptionError:
        return OptionError(f"{self.name} has no dial between true and sharp; leave out fidelity, or take another model")

    def plan(self, sampler: Sampler) -> Plan:
        """The sampler's table for this model.

        Raises:
            OptionError: more steps than the schedule has; for a student, any wish but fidelity; fidelity for a model
                without that dial.
        """
        if sampler.fidelity and not self.fidelity:
            raise self._refusal_of_fidelity()
        if self.student_steps is None:
            return sampler.plan(self.schedule)
        if replace(sampler, fidelity=0.0) != DDPM:
            raise self._refusal_of_wishes()
        plan = student_plan(self.schedule, self.student_steps)
        return replace(plan, fidelity=sampler.fidelity) if self.fidelity else plan

    @property
    def steps(self) -> int:
        """Of the whole way: a student's own, or all timesteps."""
        return self.student_steps or self.schedule.timesteps

    @property
    def quickest(self) -> Sampler:
        """The sampler of the fewest steps that the model has."""
        return Sampler(steps=1) if self.student_steps is None else DDPM

    def sampling_label(self, sampler: Sampler) -> str:
        """For a reader: the preset's name where it is one, the sampler and its steps."""
        if self.student_steps is None:
            names = [name for name, preset in self.presets.items() if preset == sampler]
            return "".join(f"{name}: " for name in names[:1]) + sampler.label(self.schedule)
        dial = f", fidelity {sampler.fidelity:g}" if sampler.fidelity else ""
        return f"student, {self.student_steps} step{'s' if self.student_steps > 1 else ''}{dial}"

    @property
    def _version(self) -> int:
        """The oldest format that a reader must know: one that knows no students would sample them wrongly, one that
        knows no presets takes all steps, one that knows no fidelity lacks an input.
        """
        return 3 if self.fidelity else 2 if self.student_steps is not None else 1

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
        values["graphs"] = tuple(GraphFiles.from_json(entry) for entry in data["graphs"])
        for name, kind in (
            ("name", str),
            ("clip_denoised", bool),
            ("up_input", bool),
            ("global_context", bool),
            ("fidelity", bool),
            ("checkpoint", str),
            *((name, dict) for name in ("network", "producer", "parity", "origin")),
        ):
            if name in values and not isinstance(values[name], kind):
                raise TypeError(f"{name} is not a {kind.__name__}")
        values["res_rescale"] = float(data["res_rescale"])
        if "presets" in data:  # since format version 2
            values["presets"] = {str(name): Sampler(**entry) for name, entry in data["presets"].items()}
        return cls(**values)


def _plain(value: Any) -> Any:
    """Data classes and tuples as JSON types."""
    if isinstance(value, Sampler):
        return value.as_data()
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
