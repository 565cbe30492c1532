"""Pickles as data: containers, numbers, words and descriptions of tensors come out; nothing is imported or called.

A pickle is a program. Here its instructions are followed, and where it would call something, a name on the list below
gives a tensor's description or an object without content. Any other name is refused before anything happens.
"""

from __future__ import annotations

import pickletools
import re
from typing import Any, BinaryIO, Callable

LIMIT = 2 << 20  # bytes of one pickle; a checkpoint's, of names and shapes, has a tenth of it
LONGEST_LINE = 1 << 12
# Arguments of all calls together: a pickle may name the same long list again and again.
MOST_ARGUMENTS = LIMIT


class PickleError(ValueError):
    """This pickle is not read; the message ends the sentence that begins with the file's name."""


class Opaque:
    """Something that no network needs: it was there, and that is all that is known."""


class Storage:
    """Numbers that tensors are views of.

    Attributes:
        kind: of the numbers, like ``Float``.
        key: where they are found.
        size: how many there are.
    """

    def __init__(self, kind: str, key: str, size: int) -> None:
        self.kind, self.key, self.size = kind, key, size


class View:
    """A tensor: numbers of a storage. ``shape`` and ``strides`` count numbers, and are not checked."""

    def __init__(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides


class Unreadable:
    """A tensor whose numbers do not lie there one by one; ``kind`` says how they do."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class _Global:
    """A name that the pickle would import."""

    def __init__(self, name: str) -> None:
        self.name = name


# Tensors that are not just numbers, by what rebuilds them.
_UNREADABLE = {
    "_rebuild_sparse_tensor": "sparse",
    "_rebuild_sparse_csr_tensor": "sparse",
    "_rebuild_qtensor": "quantized",
    "_rebuild_meta_tensor_no_storage": "on the meta device, without numbers",
    "_rebuild_nested_tensor": "nested",
    "_rebuild_device_tensor_from_numpy": "of another device's kind",
    "_rebuild_device_tensor_from_cpu_tensor": "of another device's kind",
    "_rebuild_wrapper_subclass": "of a class of its own",
    "_rebuild_tensor_v3": "of a rare type of number, like float8",
}
_STORAGE = re.compile(r"torch(?:\.cuda|\.storage)?\.(\w+)Storage")
# What trainers leave beside the tensors: settings, paths, times, states of generators.
_OPAQUE = re.compile(
    r"""(argparse\.Namespace
    | (__builtin__|builtins)\.(set|frozenset|complex|bytearray|slice|x?range|long|int|float|bool|str|list|tuple|object)
    | (copy_reg|copyreg)\._reconstructor | _codecs\.encode | types\.SimpleNamespace | typing\.\w+
    | collections\.(defaultdict|deque|Counter) | datetime\.\w+ | decimal\.Decimal | uuid\.UUID
    | pathlib(\._local)?\.(Pure)?(Posix|Windows)?Path
    | numpy(\.random)?(\._?\w+)*\.(dtype|ndarray|scalar|_reconstruct|_frombuffer|float\d+|u?int\d+|bool_?|__\w+_ctor)
    | numpy\.dtypes\.\w+ | numpy\.(core|_core)\.numeric\._frombuffer
    | torch\.(Size|device|layout|memory_format|dtype|float\w*|bfloat16|double|half|u?int\d+|long|bool|strided)
    | torch\.(per_\w+_affine|Generator)
    | torch\.serialization\._get_layout | torch\.(_tensor|nn\.parameter)\.\w+
    | torch\.torch_version\.TorchVersion | torch\._C\.\w+
    | (pytorch_lightning|lightning(\.pytorch|\.fabric)?)(\.\w+)*\.\w+
    | omegaconf(\.\w+)*\.\w+ | easydict\.EasyDict | yacs\.config\.CfgNode | addict(\.addict)?\.Dict | munch\.Munch
    | ml_collections(\.\w+)*\.ConfigDict)""",
    re.VERBOSE,
)
_DICTS = ("collections.OrderedDict", "builtins.dict", "__builtin__.dict")
_FROM_TYPE = "torch._tensor._rebuild_from_type_v2"  # what to call, for which type, and with what


def load_pickle(file: BinaryIO, storages: dict[str, Storage] | None = None) -> Any:
    """What the pickle at the file's position holds: dict, list, tuple, str, int, float, bool, None, bytes,
    :class:`View`, :class:`Unreadable` and :class:`Opaque`. The file is left behind its end; ``storages`` gets all that
    are named, by their keys.

    Raises:
        PickleError: it is damaged, too long, or asks for a name that is not on the list.
    """
    source: Any = _Bounded(file)
    machine = _Machine({} if storages is None else storages)
    try:
        for opcode, argument, _ in pickletools.genops(source):
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
    except PickleError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise PickleError(f"is damaged: its pickle cannot be followed ({type(error).__name__})") from error
    raise PickleError("is damaged: its pickle has no end")


class _Bounded:
    """As much of a file as a pickle may have; how far it is, nobody need know."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, LIMIT

    def read(self, size: int) -> bytes:
        return self._counted(self._file.read(max(0, min(size, self._left + 1))))

    def readline(self) -> bytes:
        line = self._file.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE:
            raise PickleError(f"holds a name or number of more than {LONGEST_LINE} letters, as no checkpoint has")
        return self._counted(line)

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise PickleError(f"holds more than {LIMIT >> 20} MB beside its tensors; save the model's state_dict alone")
        return data


_MARK = Opaque()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_PUSHES = re.compile(r"(SHORT_)?(BIN)?(INT|STRING|UNICODE|BYTES)[128]?|LONG[14]?|(BIN)?FLOAT")
_PUSHED = {opcode.name for opcode in pickletools.opcodes if _PUSHES.fullmatch(opcode.name)}  # their arguments


class _Machine:
    """Stack and memo of a pickle."""

    def __init__(self, storages: dict[str, Storage]) -> None:
        self.storages = storages
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._arguments_left = MOST_ARGUMENTS

    def pop(self) -> Any:
        return self.stack.pop()

    def step(self, name: str, argument: Any) -> None:
        """One instruction, called as :mod:`pickletools` does."""
        if name in _PUSHED:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _INSTRUCTIONS:
            _INSTRUCTIONS[name](self, argument)
        else:
            raise PickleError(f"is damaged: its pickle has an instruction {name}, as no checkpoint has")

    def to_mark(self) -> list[Any]:
        """What was pushed since the last mark, which goes."""
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise ValueError("no mark")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def push_tuple(self, size: int) -> None:
        items = tuple(self.stack[len(self.stack) - size :])
        del self.stack[len(self.stack) - size :]
        self.stack.append(items)

    def set_items(self, items: list[Any]) -> None:
        """Into the dict on top. Of other keys than words nothing is needed, and hashing them may take forever."""
        if isinstance(self.stack[-1], dict):
            self.stack[-1].update(_by_word(items))

    def extend(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def reduce(self) -> None:
        """What stands for the call of a name."""
        arguments = self._arguments(self.pop())
        called = self.pop()
        while isinstance(called, _Global) and called.name == _FROM_TYPE:
            called, arguments = arguments[0], self._arguments(arguments[2])
        if not isinstance(called, _Global):
            raise ValueError("no call")
        if called.name in _DICTS:
            pairs = self._arguments(tuple(arguments[0])) if arguments and isinstance(arguments[0], list) else ()
            self.stack.append(dict(pair for pair in pairs if _is_by_word(pair)))
        else:
            self.stack.append(_REBUILDS[called.name](*arguments) if called.name in _REBUILDS else Opaque())

    def _arguments(self, arguments: Any) -> tuple[Any, ...]:
        if not isinstance(arguments, tuple):
            raise ValueError("no arguments")
        self._arguments_left -= 1 + len(arguments)
        if self._arguments_left < 0:
            raise PickleError("repeats itself, as no checkpoint does; save the model's state_dict alone")
        return arguments

    def build(self) -> None:
        """The state of what is on the stack: attributes, which nobody reads."""
        self.pop()

    def persistent(self) -> None:
        """A storage: its kind, key, place and size."""
        word, kind, key, _, size, *rest = self._arguments(self.pop())
        if word != "storage" or not isinstance(kind, _Global) or not isinstance(key, str) or type(size) is not int:
            raise ValueError("no storage")
        match = _STORAGE.fullmatch(kind.name)
        is_plain = match is not None and (not rest or rest[0] is None)
        storage = Storage(match.group(1) if match and is_plain else kind.name, key, size)
        self.stack.append(self.storages.setdefault(key, storage))


def _by_word(items: list[Any]) -> dict[str, Any]:
    return {key: value for key, value in zip(items[::2], items[1::2]) if isinstance(key, str)}


def _is_by_word(pair: Any) -> bool:
    return isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[0], str)


def _named(name: str) -> _Global:
    if len(name) > LONGEST_LINE:
        raise PickleError(f"holds a name of more than {LONGEST_LINE} letters, as no checkpoint has")
    if name in _DICTS or name == _FROM_TYPE or name in _REBUILDS or _STORAGE.fullmatch(name) or _OPAQUE.fullmatch(name):
        return _Global(name)
    raise PickleError(
        f"holds a {name}, which is not read, because unpickling may run what a stranger wrote; load it where it comes "
        "from and save the model's state_dict alone"
    )


def _view(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> Any:
    return View(storage, offset, shape, strides) if isinstance(storage, Storage) else Unreadable("without numbers")


def _unreadable(kind: str) -> Callable[..., Unreadable]:
    return lambda *_: Unreadable(kind)


_REBUILDS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _view,
    "torch._utils._rebuild_tensor_v2": _view,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch._utils._rebuild_parameter_with_state": lambda tensor, *_: tensor,
    **{f"torch._utils.{name}": _unreadable(kind) for name, kind in _UNREADABLE.items()},
}

_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], Any]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "MARK": lambda machine, _: machine.stack.append(_MARK),
    "POP": lambda machine, _: machine.pop(),
    "POP_MARK": lambda machine, _: machine.to_mark(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_SET": lambda machine, _: machine.stack.append(Opaque()),
    "LIST": lambda machine, _: machine.stack.append(machine.to_mark()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.to_mark())),
    "TUPLE1": lambda machine, _: machine.push_tuple(1),
    "TUPLE2": lambda machine, _: machine.push_tuple(2),
    "TUPLE3": lambda machine, _: machine.push_tuple(3),
    "DICT": lambda machine, _: machine.stack.append(_by_word(machine.to_mark())),
    "FROZENSET": lambda machine, _: machine.stack.append(machine.to_mark() and Opaque()),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.to_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
    "ADDITEMS": lambda machine, _: machine.to_mark(),
    "GLOBAL": lambda machine, name: machine.stack.append(_named(name.replace(" ", "."))),
    "STACK_GLOBAL": lambda machine, _: machine.stack.append(_named(".".join([machine.stack.pop(-2), machine.pop()]))),
    "REDUCE": lambda machine, _: machine.reduce(),
    "NEWOBJ": lambda machine, _: machine.reduce(),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.persistent(),
    "PUT": lambda machine, place: machine.memo.update({place: machine.stack[-1]}),
    "BINPUT": lambda machine, place: machine.memo.update({place: machine.stack[-1]}),
    "LONG_BINPUT": lambda machine, place: machine.memo.update({place: machine.stack[-1]}),
    "MEMOIZE": lambda machine, _: machine.memo.update({len(machine.memo): machine.stack[-1]}),
    "GET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "LONG_BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
}
