"""Which parameters an optimizer gets, and at what rate."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from rvc.errors import SettingsError
from rvc.optimizers.spec import OptimizerSpec

# Tables and ends of the networks, by their names in the file format: what they multiply is no hidden representation.
_NEVER_MATRICES = ("emb", "conv_pre", "conv_post")


@dataclass(frozen=True)
class Grouped:
    """``main`` are for the optimizer itself; ``rest`` for AdamW, or for a group at another rate, as the spec's grouping says."""

    main: list[nn.Parameter]
    rest: list[nn.Parameter]


def grouped(spec: OptimizerSpec, named: Iterable[tuple[str, nn.Parameter]]) -> Grouped:
    """Only what is trained. ``SettingsError`` when nothing is left for the optimizer."""
    trained = [(name, one) for name, one in named if one.requires_grad]
    if not trained:
        raise SettingsError(f"There is nothing for {spec.name} to train: no parameter takes a gradient.")
    if spec.grouping == "one":
        return Grouped([one for _, one in trained], [])
    chosen = _has_layers if spec.grouping == "layers" else is_matrix
    main = [one for name, one in trained if chosen(name, one)]
    if not main:
        raise SettingsError(f"{spec.name} works on matrices, and among these {len(trained)} parameters there is none: another method would "
                            "do all the work under its name.", fix="Choose AdamW.")
    return Grouped(main, [one for name, one in trained if not chosen(name, one)])


def is_matrix(name: str, weight: nn.Parameter) -> bool:
    """Whether ``weight`` is a map between hidden representations: a linear weight, or the kernel of a convolution.

    A gain of a weight norm, (C, 1, 1), has three dimensions and is none; nor is a convolution from or to a single channel.
    """
    if weight.ndim < 2 or any(part.startswith(_NEVER_MATRICES) for part in name.split(".")):
        return False
    return weight.shape[0] > 1 and weight.shape[1] > 1


def _has_layers(_: str, weight: nn.Parameter) -> bool:
    return weight.ndim > 1
