"""The run doctor: reads the metrics of a fit as they come and says in words what is wrong and what to do. No torch here.

It looks at numbers that mean something by themselves: a loss that is not a number, a gradient that is too large, weights that do not
move. Of each kind it speaks when the trouble begins, seldom while it lasts, and again when it comes back. Values that a step does
not have (some are measured only now and then) are no trouble. What it cannot see it does not claim: ``WHY_NO_OVERTRAINING``.
"""

import math
import statistics
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rvc.events import Finding, Metrics

WHY_NO_OVERTRAINING = (
    "No number here tells when a voice is trained best. The generator's loss is a sum of targets that move while the discriminator "
    "learns, so its lowest point is not the best epoch, and a rising curve is not overtraining. Listen to the saved epochs.")

# -- thresholds: "the last N" are steps that were looked at ------------------------------------------------------------------

RECENT = 10  # a median over so many forgives a single spike, and still speaks within seconds
KL_RECENT = 20  # the KL of one step is an estimate from one sample and may dip below zero by itself
KL_NEAR_ZERO = 0.05  # nats per frame, over all channels together; a fit that learns has some nats
# Experience of the people who fine-tune with this family. From scratch they mean nothing: the first steps are above, and learn.
GRADIENT_LIMIT_G, GRADIENT_LIMIT_D = 1000.0, 100.0

# Adam moves each weight by about the learning rate at first, later by a tenth of it. At 1e-4 that is 1e-3 to 7e-3 of the norm of a
# module at full size (the tiny ones: 1e-4 to 3e-3), and in proportion at other rates.
FROZEN = 3e-6  # 1e-8 moves no module by more than 7e-7, and 1e-7, the lowest that can be asked for, most of them by less than this
SPEAKERS_SHARE = 1 / 30  # of the speaker table only the rows of the speakers in a batch learn: 1e-5 of its norm, and 5e-10 at 1e-8
FROZEN_STEPS, FROZEN_MEASURES = 50, 10  # over how many steps, and measured how often, before it is said
FULL_RATE = 0.5  # steps below this share of the learning rate (warm-up, the end of a cosine) may move little
EXPLODING_AT_ONCE = 0.5  # of the norm; a learning rate of 0.1 does it at the first step, and nothing learnt survives that
EXPLODING = 0.05  # at step after step; some ten times what is healthy

# Least squares GAN: a critic that cannot tell does best with the score 0.5 for everything, 0.25 of loss each for real and made.
CRITIC_RECENT = 200
CRITIC_GIVES_UP = 0.49  # per critic, of the 0.5 that guessing costs; more than 0.5 is worse than guessing
CRITIC_WINS = 0.05  # loss on real and on made audio, each: scores beyond 0.78 and below 0.22
CRITIC_WINS_ADVERSARIAL = 0.8  # the generator's loss per critic; 1 is a score of 0 for all it makes
SCRATCH_STEPS = 2000  # untrained networks are told apart at once, or not at all: nothing to say about their critics so early

WAITING = 0.5  # share of a step spent waiting for data; a loader that keeps up stays near 0
WAITING_RECENT = 50
SMALLEST_SCALE = 1.0  # fp16 begins at 65536 and halves at each overflow; at 1 it overflows without any scaling
CLIPPED = 0.9  # share of steps; a limit that is meant for outliers is hit by a few percent
CLIPPED_RECENT = 50

CALM_STEPS = 200  # trouble that was not seen for so long is over: when it comes back it is told again
REPEAT_STEPS = 5000  # and so often while it lasts

_MODULES = {"g/enc_p": "the content encoder (enc_p)", "g/enc_q": "the posterior encoder (enc_q)", "g/flow": "the flow",
            "g/dec": "the vocoder (dec)", "g/emb_g": "the speaker table (emb_g)"}
_NAMES = {"g": "generator", "d": "discriminator"}
_UPDATE = "update/"
_LONGEST = max(RECENT, KL_RECENT, CRITIC_RECENT, WAITING_RECENT, CLIPPED_RECENT)


@dataclass(frozen=True)
class Symptom:
    """What a look at the numbers shows. ``code`` names the kind."""

    code: str
    message: str
    advice: str


class RunDoctor:
    """Give it the metrics of every step that is logged, in their order.

    fine_tune: from a pretrain of full size, the only ones whose gradients have known limits. n_critics: sub-discriminators, whose losses
    the adversarial ones are sums of. learning_rate: what the schedule starts from or warms up to; 0 takes every step for one at full
    rate. first_steps_g, first_steps_d: how far the first steps of the networks' optimizers go, as a share of AdamW's. kl_weight: what
    ``loss/g/kl`` was multiplied by; 0 does not look at it.
    """

    def __init__(self, *, fine_tune: bool, n_critics: int, learning_rate: float = 0.0, first_steps_g: float = 1.0,
                 first_steps_d: float = 1.0, kl_weight: float = 1.0) -> None:
        assert n_critics > 0
        self._fine_tune, self._n_critics, self._kl_weight = fine_tune, n_critics, kl_weight
        self._recent: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_LONGEST))
        self._beginning = _Beginning(learning_rate, {"g": first_steps_g, "d": first_steps_d})
        self._news = _News()

    def examine(self, metrics: Metrics) -> list[Finding]:
        """What is new about this step; most often nothing."""
        for tag, value in metrics.values.items():
            if math.isfinite(value):
                self._recent[tag].append(value)
        return [Finding(code=one.code, step=metrics.step, message=one.message, advice=one.advice)
                for one in self._symptoms(metrics.step, metrics.values) if self._news.is_new(one.code, metrics.step)]

    def _symptoms(self, step: int, values: Mapping[str, float]) -> Iterator[Symptom]:
        yield from _not_finite(values)
        if self._kl_weight:
            yield from self._kl()
        if self._fine_tune:
            yield from self._gradient("g", GRADIENT_LIMIT_G)
            yield from self._gradient("d", GRADIENT_LIMIT_D)
        changes = {tag.removeprefix(_UPDATE): value for tag, value in values.items() if tag.startswith(_UPDATE) and math.isfinite(value)}
        if changes:
            yield from self._exploding(changes)
            yield from self._beginning.frozen(step, values.get("learning_rate"), changes)
        if self._fine_tune or step > SCRATCH_STEPS:
            yield from self._critics()
        yield from self._waiting()
        yield from _loss_scale(values)
        yield from self._clipping("g")
        yield from self._clipping("d")

    def _median(self, tag: str, count: int = RECENT) -> float | None:
        """Of the last ``count`` values of ``tag``; ``None`` while there are fewer."""
        recent = self._recent.get(tag, ())
        return statistics.median(list(recent)[-count:]) if len(recent) >= count else None

    # -- one kind each -----------------------------------------------------------------------------------------------------

    def _kl(self) -> Iterator[Symptom]:
        kl = self._median("loss/g/kl", KL_RECENT)
        if kl is None or kl / self._kl_weight >= KL_NEAR_ZERO:
            return
        advice = ("Look whether the pretrain belongs to this embedder and sample rate, and listen to the recordings for long silence. If "
                  "both are right, go on from an earlier epoch with a lower learning rate.")
        if kl < 0:
            yield Symptom("kl_negative", f"The KL loss is negative: {kl:.3g} (median of the last {KL_RECENT} steps), which a distance "
                                         "cannot be. The encoders no longer describe the same sounds.", advice)
        else:
            yield Symptom("kl_near_zero", f"The KL loss is nearly zero: {kl:.3g} (median of the last {KL_RECENT} steps). The vocoder is "
                                          "given nothing but what the content encoder guesses.", advice)

    def _gradient(self, network: str, limit: float) -> Iterator[Symptom]:
        norm, limited = self._median(f"grad/norm_{network}"), self._median(f"grad/clipped_{network}")  # _clipping speaks of the limit
        if norm is not None and norm > limit and not limited:
            yield Symptom(f"gradient_{network}",
                          f"The gradient of the {_NAMES[network]} is large: a norm of {norm:,.0f} (median of the last {RECENT} steps), "
                          f"above {limit:,.0f}.",
                          f"Halve the learning rate, or set the gradient limit of {network.upper()} to {limit:g}. If it stays, look at the "
                          "recordings: clipped, noisy or wrongly cut ones do this, and so does a pretrain that does not fit.")

    def _exploding(self, changes: Mapping[str, float]) -> Iterator[Symptom]:
        at_once = {module: change for module, change in changes.items() if change > EXPLODING_AT_ONCE}
        steady = {module: median for module in changes if (median := self._median(_UPDATE + module)) and median > EXPLODING}
        if fast := steady | at_once:
            yield Symptom("exploding",
                          f"Weights move too fast: one step changes {_named(fast)} by up to {max(fast.values()):.2g} times their size; "
                          "0.001 is usual.",
                          "Stop, and go on from an earlier epoch with a learning rate ten times lower (1e-4 is usual). A warm-up of some "
                          "hundred steps helps when only the beginning is too fast.")

    def _critics(self) -> Iterator[Symptom]:
        total, adversarial = self._median("loss/d/adv", CRITIC_RECENT), self._median("loss/g/adv", CRITIC_RECENT)
        real, made = self._median("loss/d/real", CRITIC_RECENT), self._median("loss/d/fake", CRITIC_RECENT)
        if total is not None and total / self._n_critics >= CRITIC_GIVES_UP:
            yield Symptom("discriminator_gives_up",
                          f"The discriminator cannot tell made from real: {total / self._n_critics:.2f} of loss per critic over the last "
                          f"{CRITIC_RECENT} steps, and guessing costs 0.50. The generator learns nothing from it.",
                          "Use the D file that belongs to the pretrain's G, or raise the learning rate of the discriminator. A larger "
                          "batch size makes its task clearer.")
        if None not in (real, made, adversarial) and max(real, made) <= CRITIC_WINS and (
                (per_critic := adversarial / self._n_critics) >= CRITIC_WINS_ADVERSARIAL):
            yield Symptom("discriminator_wins",
                          f"The discriminator wins: over the last {CRITIC_RECENT} steps its loss is {real:.3f} on real and {made:.3f} on "
                          f"made audio, and the generator's is {per_critic:.2f} of 1 per critic. The generator cannot follow.",
                          "Halve the learning rate of the discriminator, or look whether G and D of the pretrain are a pair. Few or very "
                          "uniform recordings, learnt by heart, do this too: add recordings.")

    def _waiting(self) -> Iterator[Symptom]:
        share = self._median("time/data_fraction", WAITING_RECENT)
        if share is not None and share > WAITING:
            yield Symptom("data_starved",
                          f"Training waits for its data: {share:.0%} of the time of a step (median of the last {WAITING_RECENT} steps).",
                          "Keep the data on the GPU, have the folder logs on a local, fast disk, and close what else keeps disk and "
                          "processor busy. The voice is not harmed, it only takes longer.")

    def _clipping(self, network: str) -> Iterator[Symptom]:
        recent = list(self._recent.get(f"grad/clipped_{network}", ()))[-CLIPPED_RECENT:]
        if len(recent) == CLIPPED_RECENT and (share := statistics.fmean(recent)) > CLIPPED:
            norm = self._median(f"grad/norm_{network}")
            usual = "" if norm is None else f"; its norm is about {norm:,.3g}"
            yield Symptom(f"clipping_{network}",
                          f"The gradient limit of the {_NAMES[network]} is hit in {share:.0%} of the steps{usual}.",
                          f"Raise the gradient limit of {network.upper()} above the usual norm, or set it to 0: hit at nearly every step, "
                          "it is no guard against outliers but another learning rate.")


class _Beginning:
    """Whether weights move at all: judged once, at the first steps of a fit that are at full learning rate."""

    def __init__(self, learning_rate: float, first_steps: Mapping[str, float]) -> None:
        self._full_rate, self._first_steps = FULL_RATE * learning_rate, first_steps
        self._largest: dict[str, float] = {}
        self._from_step, self._measures, self._judged = 0, 0, False

    def frozen(self, step: int, rate: float | None, changes: Mapping[str, float]) -> Iterator[Symptom]:
        if self._judged or (rate is not None and rate < self._full_rate):
            return
        self._from_step = self._from_step or step
        self._measures += 1
        for module, change in changes.items():
            self._largest[module] = max(change, self._largest.get(module, 0.0))
        if self._measures < FROZEN_MEASURES or step - self._from_step < FROZEN_STEPS - 1:
            return
        self._judged = True
        still = {module: change for module, change in self._largest.items() if change < self._floor(module)}
        if still:
            yield Symptom("frozen",
                          f"Weights do not move: no step since step {self._from_step} has changed {_named(still)} by more than "
                          f"{max(still.values()):.1g} of their size; 0.001 is usual.",
                          "Raise the learning rate (1e-4 is usual), and look whether a gradient limit is close to 0.")

    def _floor(self, module: str) -> float:
        return FROZEN * self._first_steps[module[0]] * (SPEAKERS_SHARE if module == "g/emb_g" else 1.0)


class _News:
    """What is worth saying now: trouble that begins, that comes back after a calm, or that has lasted since long."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._told: dict[str, int] = {}

    def is_new(self, code: str, step: int) -> bool:
        back = code not in self._seen or step - self._seen[code] > CALM_STEPS
        self._seen[code] = step
        if back or step - self._told[code] >= REPEAT_STEPS:
            self._told[code] = step
            return True
        return False


def _not_finite(values: Mapping[str, float]) -> Iterator[Symptom]:
    """Gradient norms may be infinite: with fp16 such a step is skipped and the scale lowered."""
    bad = [f"{tag} is {value}" for tag, value in values.items() if tag.startswith("loss/") and not math.isfinite(value)]
    if bad:
        yield Symptom("not_finite", f"A loss is not a number any more: {', '.join(bad)}.",
                      "Go on from the last checkpoint with a lower learning rate, or with precision fp32. If it comes back, look for "
                      "broken recordings.")


def _loss_scale(values: Mapping[str, float]) -> Iterator[Symptom]:
    scale = values.get("scale")
    if scale is not None and scale <= SMALLEST_SCALE:
        yield Symptom("loss_scale", f"The loss scale of fp16 has fallen to {scale:g}: gradients overflow at step after step, and those "
                                    "steps are lost.",
                      "Stop, and go on with precision bf16, or fp32 where the GPU has no bf16.")


def _named(modules: Mapping[str, float]) -> str:
    """In words, the critics of the discriminator by their numbers."""
    critics = [module.removeprefix("d/") for module in modules if module.startswith("d/")]
    words = [_MODULES.get(module, module) for module in modules if not module.startswith("d/")]
    if critics:
        words.append(f"critic {', '.join(critics)} of the discriminator")
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
