"""Which device computes, and in which precision: found out by trying, not by a list of card names."""

from dataclasses import dataclass

import torch

from rvc.errors import DeviceError

# bf16 keeps 8 bits of mantissa and fp16 11: a sum of products that is further off than this was not computed as promised.
_TOLERANCE = 0.05


@dataclass(frozen=True)
class Precision:
    """How the forward passes compute. Weights, losses and optimizer states are float32 always."""

    name: str  # fp32, bf16 or fp16
    autocast: torch.dtype | None
    needs_scaler: bool  # fp16's small gradients vanish without loss scaling
    tf32: bool = False  # products of float32 matrices with 10 bits of mantissa, on NVIDIA's GPUs since Ampere

    def settle(self) -> None:
        """For this process. torch's own default lets convolutions use TF32 and matrix products not: here fp32 means float32 everywhere."""
        torch.backends.cudnn.allow_tf32 = self.tf32
        torch.backends.cuda.matmul.allow_tf32 = self.tf32


FP32 = Precision("fp32", None, False)
TF32 = Precision("tf32", None, False, tf32=True)
BF16 = Precision("bf16", torch.bfloat16, False)
FP16 = Precision("fp16", torch.float16, True)
_BY_NAME = {one.name: one for one in (FP32, TF32, BF16, FP16)}


def resolve(device: str) -> torch.device:
    """``auto``: CUDA, else Apple's MPS, else the CPU. A ``DeviceError`` when what was asked for is not there."""
    if device == "auto":
        return torch.device(_best())
    try:
        asked = torch.device(device)
    except RuntimeError as error:
        raise DeviceError(f"{device!r} is not a device.", fix="Use auto, cpu, cuda, cuda:0 or mps.") from error
    if asked.type == "cuda" and (asked.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"{device} was asked for, and this machine offers {torch.cuda.device_count()} CUDA devices to torch.",
                          fix="Use --device auto, or see `doctor`.")
    if asked.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("mps was asked for, and this machine has none.", fix="Use --device auto.")
    if asked.type not in ("cpu", "cuda", "mps"):
        raise DeviceError(f"{device} is not supported.", fix="Use auto, cpu, cuda, cuda:0 or mps.")
    return asked


def probe_precision(device: torch.device, asked: str) -> Precision:
    """The asked precision if ``device`` computes it correctly, else a ``DeviceError``; ``auto`` takes the first that works.

    ``auto`` is fp32 away from CUDA: CPUs mostly emulate the short formats, and are slower for it.
    """
    if asked == "auto":
        wanted = (BF16, FP16) if device.type == "cuda" else ()
        return next((one for one in wanted if _computes(device, one)), FP32)
    precision = _BY_NAME[asked]
    if not _computes(device, precision):
        raise DeviceError(f"{device} does not compute in {asked}, or not correctly.", fix="Use --precision auto.")
    return precision


def name_of(device: torch.device) -> str:
    """The device as a person knows it."""
    return f"{torch.cuda.get_device_name(device)} ({device})" if device.type == "cuda" else device.type.upper()


def release_memory(device: torch.device) -> None:
    """Give cached memory back to the system."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _computes(device: torch.device, precision: Precision) -> bool:
    """A small convolution and its gradient in ``precision`` agree with float32 on the CPU."""
    if precision.tf32:
        return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    if precision.autocast is None:
        return True
    if device.type == "cuda" and precision is BF16 and not torch.cuda.is_bf16_supported(including_emulation=False):
        return False
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(2, 16, 64, generator=generator)
    kernel = torch.randn(16, 16, 5, generator=generator) / 9  # about 1/sqrt(fan-in): outputs near 1
    exact = _convolved(signal, kernel)
    try:
        with torch.autocast(device.type, dtype=precision.autocast):
            short = _convolved(signal.to(device), kernel.to(device))
    except RuntimeError:  # this is how torch says that a kernel does not exist in that format
        return False
    return all(torch.isfinite(b).all() and (a - b.float().cpu()).abs().max() < _TOLERANCE * a.abs().max()
               for a, b in zip(exact, short, strict=True))


def _convolved(signal: torch.Tensor, kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    kernel = kernel.detach().requires_grad_()
    output = torch.nn.functional.conv1d(signal, kernel)
    (gradient,) = torch.autograd.grad(output.float().square().mean(), kernel)
    return output.detach(), gradient
