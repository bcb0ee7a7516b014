"""The processes of a fit on several devices, under torchrun. Imported only when there are several.

Numbers travel between GPUs by NCCL and between CPUs by gloo. What must be agreed on before the next step (to stop, to take smaller
parts) always travels by gloo, so that agreeing does not wait for a GPU.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from rvc.errors import TrainingError
from rvc.train.fitting.ranks import Ranks

# One process saves and scores while the others wait: at a slow disk that takes long, but not for ever.
_PATIENCE = timedelta(minutes=30)
_BUCKET_BYTES = 64 * 2**20  # gradients that travel together


class TorchRanks(Ranks):
    """The processes that torchrun started, this one among them. It tells each its place through the environment."""

    def __init__(self, device: torch.device) -> None:
        nccl = device.type == "cuda" and dist.is_nccl_available()  # Windows has none
        dist.init_process_group("nccl" if nccl else "gloo", timeout=_PATIENCE)
        self.index, self.count = dist.get_rank(), dist.get_world_size()
        self._agreeing = dist.new_group(backend="gloo", timeout=_PATIENCE)

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        for bucket in _buckets(tensors):
            together = torch._utils._flatten_dense_tensors(bucket)
            dist.all_reduce(together)
            for one, summed in zip(bucket, torch._utils._unflatten_dense_tensors(together, bucket), strict=True):
                one.copy_(summed)

    def any(self, flag: bool) -> bool:
        answer = torch.tensor([flag], dtype=torch.int32)
        dist.all_reduce(answer, dist.ReduceOp.MAX, group=self._agreeing)
        return bool(answer.item())

    def wait(self) -> None:
        dist.barrier(group=self._agreeing)


@contextmanager
def joined(device: torch.device) -> Iterator[TorchRanks]:
    """This process among the others. The group is taken apart only when all went well: after a failure torchrun ends everyone."""
    ranks = TorchRanks(device)
    yield ranks
    dist.destroy_process_group()


def local_index() -> int:
    """Which of this machine's processes this is."""
    if "LOCAL_RANK" not in os.environ:
        raise TrainingError("This process was not started by torchrun.",
                            fix="Use: torchrun --nproc-per-node N -m rvc.train.processes.rank RUN_FOLDER")
    return int(os.environ["LOCAL_RANK"])


def _buckets(tensors: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
    """In order, each of at most ``_BUCKET_BYTES`` or of one tensor."""
    buckets: list[list[torch.Tensor]] = []
    size = _BUCKET_BYTES
    for one in tensors:
        if size + one.nbytes > _BUCKET_BYTES:
            buckets.append([])
            size = 0
        buckets[-1].append(one)
        size += one.nbytes
    return buckets
