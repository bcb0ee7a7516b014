"""The NVIDIA GPUs of this machine, as ``nvidia-smi`` lists them: what can be offered and checked before torch is imported.

Ground floor: standard library only. Workers count GPUs in the same order (``CUDA_DEVICE_ORDER`` in ``rvc.jobs``).
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from rvc.errors import DeviceError

_QUERY = ("--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits")
_PATIENCE_SECONDS = 5.0  # a driver in trouble makes nvidia-smi hang; a page must not wait for it


@dataclass(frozen=True)
class Gpu:
    """``index`` is the number that ``cuda:N`` and the setting *gpus* mean."""

    index: int
    name: str
    memory_mib: int

    @property
    def title(self) -> str:
        return f"{self.name}, {self.memory_mib / 1024:.0f} GiB"


@cache
def installed() -> tuple[Gpu, ...] | None:
    """Asked once per process; ``None`` when it cannot be known here (no NVIDIA driver, or one that does not answer)."""
    listed = _listed()
    return None if listed is None else _visible(listed, os.environ.get("CUDA_VISIBLE_DEVICES"))


def require(devices: Iterable[str]) -> None:
    """``DeviceError`` for the first of ``devices`` (``cuda:N``; others pass) that this machine does not have, if that can be known."""
    asked = [int(found[1]) for one in devices if (found := re.fullmatch(r"cuda:(\d+)", one))]
    here = installed() if asked else None
    if here is None:
        return
    for index in asked:
        if index >= len(here):
            there = "; ".join(f"{one.index} is {one.title}" for one in here) or "CUDA_VISIBLE_DEVICES hides all there are"
            raise DeviceError(f"There is no GPU {index} on this machine ({there}).",
                              fix="Choose among those, or leave the choice of devices to auto." if here else "Change that variable.")


def _listed() -> tuple[Gpu, ...] | None:
    program = shutil.which("nvidia-smi")
    if not program:
        return None
    try:
        done = subprocess.run([program, *_QUERY], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=True)
        return tuple(_parsed(line) for line in done.stdout.splitlines() if line.strip())
    except (OSError, subprocess.SubprocessError, ValueError):  # unknown is an answer here: torch will say what is wrong with the driver
        return None


def _parsed(line: str) -> Gpu:
    """``0, NVIDIA H100 80GB HBM3, 81559``; a ``ValueError`` for anything else, such as *No devices were found*."""
    index, rest = line.split(",", 1)
    name, memory_mib = rest.rsplit(",", 1)
    return Gpu(int(index), name.strip(), int(memory_mib))


def _visible(listed: tuple[Gpu, ...], named: str | None) -> tuple[Gpu, ...] | None:
    """Numbered as CUDA does under ``CUDA_VISIBLE_DEVICES``; ``None`` when that names GPUs in a way that the list does not know."""
    if named is None:
        return listed
    wanted = [one.strip() for one in named.split(",") if one.strip()]
    if not all(one.isdecimal() and int(one) < len(listed) for one in wanted):
        return None
    return tuple(Gpu(number, listed[int(one)].name, listed[int(one)].memory_mib) for number, one in enumerate(wanted))
