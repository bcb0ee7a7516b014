"""Tensors in files: read without running what is in them, written whole, and fitted to a module completely or not at all.

Weight norm has two spellings. RVC and Applio files say ``X.weight_g`` and ``X.weight_v``; torch's parametrizations, which the
modules here use, say ``X.parametrizations.weight.original0`` and ``original1``. Everything read may have either; everything
written has the old one.
"""

import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from rvc.errors import FormatError
from rvc.paths import written_whole

_SPELLINGS = ((".weight_g", ".parametrizations.weight.original0"), (".weight_v", ".parametrizations.weight.original1"))
_ZIP_MAGIC = b"PK\x03\x04"
# What torch.load was seen to raise on damaged files, zip and older ones, besides a refusal to run code.
_DAMAGED = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError, AssertionError,
            ArithmeticError, MemoryError, struct.error)
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_SHOWN = 3  # names of tensors in one error sentence


@dataclass(frozen=True)
class LoadReport:
    """``loaded`` of the ``total`` tensors of a module."""

    loaded: int
    total: int


def read(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """The dictionary in ``path``, tensors on the CPU. ``FormatError`` for anything else; no code in the file is run.

    With ``mmap`` the values of tensors stay on the disk until they are used, which suits a look at the metadata. Without it their
    checksums are compared, where the file has any.
    """
    path = Path(path)
    try:
        is_zip = _is_zip(path)
        if is_zip and not mmap:
            _refuse_flipped_bits(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap and is_zip)
    except FileNotFoundError as error:
        raise FormatError(f"There is no file {path}.") from error
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror or error}.") from error
    except _DAMAGED as error:
        raise FormatError(_why_unreadable(path, str(error))) from error
    if not isinstance(content, dict):
        raise FormatError(f"{path.name} holds a {type(content).__name__}, not a dictionary of weights.")
    return content


def write(path: Path, obj: Any) -> None:
    """``obj`` into ``path``, whole or not at all. ``StorageError`` when the disk does not take it."""
    with written_whole(Path(path)) as temporary, open(temporary, "wb") as file:
        watched = _WatchedFile(file)
        try:
            torch.save(obj, watched)
        except RuntimeError as error:
            if watched.error is None:
                raise
            raise watched.error from error


def old_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """Weight norm spelled as in RVC's files."""
    return _renamed(state, [(new, old) for old, new in _SPELLINGS])


def new_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """Weight norm spelled as in our modules."""
    return _renamed(state, _SPELLINGS)


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """The state of ``module`` as files have it: old names, on the CPU. Tensors that were there already are not copied."""
    return old_names({name: tensor.detach().cpu() for name, tensor in module.state_dict().items()})


def load_state(module: nn.Module, state: Mapping[str, Any], *, what: str, ignore: tuple[str, ...] = ()) -> LoadReport:
    """Fill ``module`` with ``state``. All of it must fit, or ``FormatError`` says what does not and the module stays as it was.

    what: names the source in errors, such as ``"f0G40k.pth"``. ignore: prefixes of tensors in ``state`` that are passed over.
    """
    fitting = fitted(module, state, what=what, ignore=ignore)
    module.load_state_dict(fitting, strict=True)
    return LoadReport(loaded=len(fitting), total=len(module.state_dict()))


def fitted(module: nn.Module, state: Mapping[str, Any], *, what: str, ignore: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """The tensors of ``state`` in float32 under the names of ``module``, if they are exactly what it needs."""
    kept = {name: value for name, value in state.items() if not str(name).startswith(ignore)} if ignore else dict(state)
    given = new_names(kept)
    wanted = module.state_dict()
    problems = [
        _listed("is missing", "are missing", wanted.keys() - given.keys(), wanted),
        _listed("is unknown", "are unknown", given.keys() - wanted.keys(), given),
        _listed("is no tensor of fractions", "are no tensors of fractions",
                (name for name in given if name in wanted and not _is_floating(given[name])), given),
        _shape_problem(given, wanted),
    ]
    if found := "; ".join(problem for problem in problems if problem):
        raise FormatError(f"{what} does not fit this network: {found}.")
    return {name: given[name].detach().float() for name in wanted}


def halved(state: Mapping[str, Tensor], *, what: str) -> dict[str, Tensor]:
    """Tensors in half precision, as files for others have them. ``FormatError`` when a value is not finite there; ``what`` names them."""
    halves = {name: tensor.half() for name, tensor in state.items()}
    for name, half in halves.items():
        if not torch.isfinite(half).all():
            raise FormatError(f"{what} was not written: {name} has values that are not finite in half precision.",
                              fix="The training went astray; take an earlier checkpoint.")
    return halves


def _is_zip(path: Path) -> bool:
    """Only files in torch's newer format can be mapped into memory, and only they have checksums."""
    with open(path, "rb") as file:
        return file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC


def _refuse_flipped_bits(path: Path) -> None:
    """torch.load does not look at the checksums it wrote: a flipped bit would become another weight."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise FormatError(f"{path.name} is damaged or incomplete.") from error
    if broken:
        raise FormatError(f"{path.name} is damaged: the checksum of {broken} is wrong.")


def _why_unreadable(path: Path, error: str) -> str:
    """A sentence from torch's message, of which there is one text for each unpickler and none for people."""
    if path.stat().st_size == 0:
        return f"{path.name} is empty."
    if "TorchScript" in error:
        return f"{path.name} is a TorchScript program, not a file of weights; it was not loaded."
    if code := re.search(r"GLOBAL ([\w.]*\w)", error):
        return f"{path.name} contains code ({code.group(1)}), not only weights; it was not loaded."
    return f"{path.name} is not a file of torch weights, or it is damaged or incomplete."


def _renamed(state: Mapping[str, Any], spellings: Iterable[tuple[str, str]]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for name, value in state.items():
        new = str(name)
        for ending, replacement in spellings:
            if new.endswith(ending):
                new = new.removesuffix(ending) + replacement
        if new in renamed:
            raise FormatError(f"The tensor {_old_name(new)} is there twice, in both spellings.")
        renamed[new] = value
    return renamed


def _old_name(name: str) -> str:
    for old, new in _SPELLINGS:
        name = name.replace(new, old)
    return name


def _is_floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype in _FLOATS and value.layout == torch.strided


def _listed(one: str, many: str, names: Iterable[str], order: Iterable[str]) -> str:
    """Such as "2 tensors are missing (a, b)", or nothing. ``order`` is that of the file or module."""
    chosen = set(names)
    ordered = [_old_name(name) for name in order if name in chosen]
    if not ordered:
        return ""
    shown = ", ".join(ordered[:_SHOWN]) + (", …" if len(ordered) > _SHOWN else "")
    return f"1 tensor {one} ({shown})" if len(ordered) == 1 else f"{len(ordered)} tensors {many} ({shown})"


def _shape_problem(given: Mapping[str, Any], wanted: Mapping[str, Tensor]) -> str:
    wrong = [name for name in wanted if isinstance(given.get(name), Tensor) and given[name].shape != wanted[name].shape]
    if not wrong:
        return ""
    name = wrong[0]
    more = f", and so have {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"{_old_name(name)} has the shape {_shown(given[name])}, not {_shown(wanted[name])}{more}"


def _shown(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "of a single number"


class _WatchedFile:
    """Remembers the ``OSError`` of a failed write: torch reports a full disk as a ``RuntimeError`` about file positions."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()
