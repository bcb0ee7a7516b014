"""What there is to say about an optimizer, as values. No torch here: lists, forms and help are made from them."""

from dataclasses import dataclass, field
from typing import Any, Literal

from rvc.optimizers import verdicts
from rvc.optimizers.verdicts import Verdict

CATEGORIES = ("PyTorch built-in", "schedule-free", "second-order", "sign-based", "LR-free", "Nesterov", "mixed precision", "combined",
              "memory-efficient", "partial adaptive", "quasi-Newton", "normalized", "belief-based", "layer-adaptive",
              "momentum and control", "other")

Situation = Literal["beginner", "no schedule", "little memory", "large batch", "fast convergence", "no learning rate"]
SITUATIONS: dict[Situation, str] = {
    "beginner": "A first voice, or no wish to think about it",
    "no schedule": "No learning rate schedule to tune",
    "little memory": "The graphics card is nearly full",
    "large batch": "Batches of 32 clips and more, or several GPUs",
    "fast convergence": "A better voice in fewer steps, and time to compare",
    "no learning rate": "No learning rate to choose",
}

WEAKEST, STRONGEST = 1e-5, 1e5  # of the default rate: beyond that nothing moves, or everything breaks at once


@dataclass(frozen=True)
class Paper:
    """Where the algorithm comes from. ``arxiv``: its id, ``None`` when it was published elsewhere only; ``venue`` says where."""

    authors: str
    title: str
    year: int
    arxiv: str | None = None
    venue: str = ""


@dataclass(frozen=True)
class Source:
    """Whose code it is. ``path``: the class of the library; ``adapter``: our class around it, or our own where ``library`` is rvc.

    tested: the only version that is taken. ``None``: any, for torch keeps its signatures and is pinned elsewhere.
    """

    library: str  # as pip calls it
    path: str
    tested: str | None
    adapter: str | None = None
    licence: str = ""

    @property
    def builds(self) -> str:
        """The class that is instantiated."""
        return self.adapter or self.path


def torch_optim(name: str, adapter: str | None = None) -> Source:
    return Source("torch", f"torch.optim.{name}", None, adapter, "BSD-3-Clause")


def pytorch_optimizer(name: str, adapter: str | None = None) -> Source:
    return Source("pytorch_optimizer", f"pytorch_optimizer.{name}", "4.1.0", adapter, "Apache-2.0")


def schedulefree(name: str) -> Source:
    return Source("schedulefree", f"schedulefree.{name}", "1.4.1", None, "Apache-2.0")


def optimi(name: str) -> Source:
    return Source("torch-optimi", f"optimi.{name}", "0.3.3", None, "MIT")


def our_own(path: str) -> Source:
    return Source("rvc", path, None)


@dataclass(frozen=True)
class Rates:
    """Learning rates to begin with. ``reason``: where they come from."""

    generator: float
    discriminator: float
    generator_from_scratch: float
    discriminator_from_scratch: float
    reason: str

    def of(self, role: Literal["g", "d"], *, fine_tune: bool) -> float:
        if fine_tune:
            return self.generator if role == "g" else self.discriminator
        return self.generator_from_scratch if role == "g" else self.discriminator_from_scratch


def matched(rate: float, *, reason: str = "") -> Rates:
    """A rate whose update is as long as that of AdamW at 1e-4, within a factor of three; twice that from random weights."""
    return Rates(rate, rate, 2 * rate, 2 * rate, reason or (
        "The length of one update was matched to AdamW's at 1e-4, RVC's rate since its first release, under noisy gradients; right within "
        "a factor of three. From scratch it is doubled: HiFi-GAN (Kong et al. 2020) trains at 2e-4 where RVC fine-tunes at 1e-4."))


def free_of_rate() -> Rates:
    return Rates(1.0, 1.0, 1.0, 1.0, "It estimates the rate itself; this number only multiplies the estimate, and its authors say 1.")


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A number a person may turn. ``argument``: what the class calls it; ``place``: where in a tuple, such as that of the betas."""

    name: str
    default: float
    low: float
    high: float
    help: str
    argument: str
    place: int | None = None
    whole: bool = False  # only integers


def knob(name: str, default: float, low: float, high: float, help: str, *, into: str = "", place: int | None = None) -> Knob:
    return Knob(name=name, default=default, low=low, high=high, help=help, argument=into or name, place=place,
                whole=isinstance(default, int))


def weight_decay(default: float) -> Knob:
    return knob("weight_decay", default, 0.0, 1.0, "Share by which weights shrink per step, times the learning rate")


def beta1(default: float, *, into: str = "betas") -> Knob:
    return knob("beta1", default, 0.0, 0.999, "How long the mean of the gradients remembers; RVC uses 0.8, most others 0.9",
                into=into, place=0)


def momentum(default: float) -> Knob:
    return knob("momentum", default, 0.0, 0.999, "Share of the last step that is carried on")


@dataclass(frozen=True)
class StateBytes:
    """Bytes of memory per parameter, on the tensors of RVC v2 at 48 kHz with float32 weights. AdamW: 8 and 8."""

    generator: float
    discriminator: float


@dataclass(frozen=True)
class SameAs:
    """Another name for the same steps, and when. ``by_default``: also with the numbers that both have here."""

    name: str
    when: str
    by_default: bool = False


# How parameters are grouped, see rvc/optimizers/grouping.py
Grouping = Literal["one", "muon", "matrices", "layers"]
# Which weights are to be listened to, scored, exported and saved, see rvc/optimizers/evaluation.py
Evaluation = Literal["as trained", "schedule-free", "average"]


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec:
    """One name of the list."""

    # -- what it is
    name: str
    title: str
    category: str
    description: str
    paper: Paper
    source: Source
    # -- how it is used
    rates: Rates
    arguments: dict[str, Any] = field(default_factory=dict)  # always passed as they are
    discriminator_arguments: dict[str, Any] = field(default_factory=dict)  # in place of those, for D
    knobs: tuple[Knob, ...] = ()
    grouping: Grouping = "one"
    grouping_says: str = "all parameters alike"
    rest_rate: float = 1.0  # of AdamW's or the 1-D tensors' group, relative to the rate
    clip_norm: float | None = None  # recommended limit of the gradient's L2 norm; ``None``: the length of a step does not follow it
    scheduled: bool = True  # whether a schedule makes sense; without it the rate stays
    schedule_says: str = "follows the run's schedule"
    # -- hooks
    evaluation: Evaluation = "as trained"
    warmup_steps: int = 0  # of its own, on top of the run's
    # How far its first fifty steps go, as a share of AdamW's: the run doctor must not take a slow start for a standstill. A warm-up of
    # its own, a rate still to be found, or steps as long as the gradient make it less than 1.
    first_steps: float = 1.0
    warmup_argument: str | None = None  # the library warms up itself; ``None``: rvc/optimizers/composite.py does
    total_steps_argument: tuple[str, float] | None = None  # wants the run's length, times this
    curvature_every: str | None = None  # the knob that says how often it looks at the curvature
    rewrites_gradients: bool = False  # during a step: log and clip before it
    # -- what it costs and what it is good for
    state: StateBytes
    discriminator: str | None = None  # what D gets unless somebody says otherwise; ``None``: the same
    discriminator_reason: str = ""
    same_as: tuple[SameAs, ...] = ()
    stays_still: str = ""  # tensors that one step does not move, and why
    learns: float  # by at least this factor the loss of tests/optimizers/test_contract.py falls in 300 steps at the default rate
    stars: float  # of 5, as a page of the field claims without a measurement
    sentence: str  # what a user needs to know
    advice: tuple[Situation, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """How much speaks for it, by what was measured."""
        return verdicts.of(self.name, slow_to_begin=self.first_steps < 1)

    @property
    def is_lr_free(self) -> bool:
        return self.category == "LR-free"

    def rate(self, role: Literal["g", "d"], *, fine_tune: bool) -> float:
        return self.rates.of(role, fine_tune=fine_tune)

    @property
    def hooks(self) -> list[str]:
        """What must be done around its steps, in words."""
        shown = {"as trained": "", "schedule-free": "every look at the weights sees their average x, not the y that is trained",
                 "average": "every look at the weights sees their average"}[self.evaluation]
        warms = f"the rate rises over {self.warmup_steps} steps of its own, or a tenth of a shorter run" if self.warmup_steps else ""
        total = f"is told the length of the run, times {self.total_steps_argument[1]:g}" if self.total_steps_argument else ""
        looks = f"looks at the curvature as often as {self.curvature_every} says, scaled by the batch size" if self.curvature_every else ""
        rewrites = "rewrites gradients during a step: they are measured and clipped before it" if self.rewrites_gradients else ""
        return [one for one in (shown, warms, total, looks, rewrites) if one]

    @property
    def state_policy(self) -> str:
        """What becomes of its state."""
        beside = "" if self.evaluation == "as trained" else ", beside them the weights in training"
        return (f"saved with every checkpoint{beside}, and continued to the bit; rates and options are those asked for now. "
                "Another optimizer begins with an empty state and says so.")

    def sensible(self) -> tuple[float, float]:
        """Rates worth trying."""
        return self.rates.generator / 30, self.rates.generator * 30

    def keywords(self, role: Literal["g", "d"], turned: dict[str, float]) -> dict[str, Any]:
        """What the class is called with besides parameters and rate; ``turned``: knobs by name, checked before."""
        words = {**self.arguments, **(self.discriminator_arguments if role == "d" else {})}
        for one in self.knobs:
            value = turned.get(one.name, one.default)
            value = int(value) if one.whole else float(value)
            if one.place is None:
                words[one.argument] = value
            else:
                several = list(words[one.argument])
                several[one.place] = value
                words[one.argument] = tuple(several)
        return words

    def own_warmup(self, total_steps: int) -> int:
        """Steps of its own warm-up: a tenth of a run that is too short for the full one."""
        return min(self.warmup_steps, total_steps // 10)

    def megabytes(self, generator_parameters: int, discriminator_parameters: int) -> float:
        """Memory of the state of both networks."""
        return (self.state.generator * generator_parameters + self.state.discriminator * discriminator_parameters) / 1e6
