"""Without a schedule, and without a learning rate."""

from typing import Any

from rvc.optimizers.catalogue.builtin import BY_GRADIENT, LOST, ONE_MOMENT, TWO_MOMENTS, UNEVEN
from rvc.optimizers.spec import (
    OptimizerSpec,
    Paper,
    SameAs,
    StateBytes,
    free_of_rate,
    knob,
    matched,
    momentum,
    pytorch_optimizer,
    schedulefree,
    weight_decay,
)

ROAD = Paper("Defazio, Yang, Mehta, Mishchenko, Khaled and Cutkosky", "The Road Less Scheduled", 2024, "2405.15682", "NeurIPS 2024")
D_ADAPTATION = Paper("Defazio and Mishchenko", "Learning-Rate-Free Learning by D-Adaptation", 2023, "2301.07733", "ICML 2023")

# The gradient is taken at y, between the base iterate z and its average x; x is the model. Averaging takes the place of a decay.
AVERAGING: dict[str, Any] = {
    "category": "schedule-free", "source": schedulefree("AdamWScheduleFree"), "scheduled": False,
    "schedule_says": "constant after its own warm-up of 500 steps; averaging takes the place of a decay", "evaluation": "schedule-free",
    "warmup_steps": 500, "warmup_argument": "warmup_steps", "first_steps": 0.1, "rewrites_gradients": True}
# The estimate only grows. G's settles; D's target moves, and its estimate ran on in every try.
ESTIMATING: dict[str, Any] = {
    "category": "LR-free", "rates": free_of_rate(), "scheduled": False,
    "schedule_says": "constant: a schedule would multiply, and by that hide, what it estimates", "discriminator": "AdamW",
    "discriminator_reason": "the estimate only grows, and the discriminator's target moves: its estimate never settled",
    "discriminator_arguments": {"growth_rate": 1.02}}
FIRST_GUESS: dict[str, Any] = {"first_steps": 0.01}  # a rate of 1e-6, of which it knows that it is too low, where AdamW begins at 1e-4
SLOW_GROWTH = knob("growth_rate", 1.02, 1.001, 10.0, "By how much the estimated rate may grow per step")

SPECS = (
    OptimizerSpec(
        **AVERAGING, name="ScheduleFreeAdamW", title="Schedule-free AdamW",
        description="AdamW that averages its way to where a schedule would have led.",
        paper=ROAD, rates=matched(5e-4), arguments={"betas": (0.9, 0.999), "eps": 1e-8}, knobs=(weight_decay(0.01),),
        state=TWO_MOMENTS, learns=6, stars=5.0,
        sentence="No decay to tune, and stopping early costs nothing: what you hear is always the average. The rate still matters.",
        advice=("no schedule", "fast convergence")),
    OptimizerSpec(
        **AVERAGING, name="ScheduleFreeAdam", title="Schedule-free Adam",
        description="Schedule-free AdamW without weight decay; the paper has no method of this name.",
        paper=ROAD, rates=matched(5e-4), arguments={"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
        state=TWO_MOMENTS, same_as=(SameAs("ScheduleFreeAdamW", "at weight decay 0"),), learns=6, stars=3.5,
        sentence="Take ScheduleFreeAdamW; this is the same with a weight decay of 0.", advice=("no schedule",)),
    OptimizerSpec(
        **{**AVERAGING, "source": schedulefree("SGDScheduleFree"), "first_steps": 0.1 * UNEVEN}, name="ScheduleFreeSGD",
        title="Schedule-free SGD",
        description="SGD that averages its way to where a schedule would have led.",
        paper=ROAD, rates=matched(0.1), arguments={"weight_decay": 0.0}, knobs=(momentum(0.9),), clip_norm=BY_GRADIENT, stays_still=LOST,
        state=ONE_MOMENT, learns=16, stars=2.0,
        sentence="Its rate holds with the gradient clipped to a norm of 1; ten times as high it circles around where it should end."),
    OptimizerSpec(
        **ESTIMATING, **FIRST_GUESS, name="Prodigy", title="Prodigy",
        description="Adam that estimates its rate from how far the weights have come.",
        paper=Paper("Mishchenko and Defazio", "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", 2023, "2306.06101", "ICML 2024"),
        source=pytorch_optimizer("Prodigy"),
        arguments={"betas": (0.9, 0.999), "d0": 1e-6, "weight_decay": 0.0, "bias_correction": True, "safeguard_warmup": True, "eps": 1e-8},
        knobs=(knob("d_coef", 0.5, 0.01, 10.0, "Multiplies the estimated rate: lower when it tears, higher when it crawls"),),
        state=StateBytes(16.0, 16.0), learns=21, stars=4.5,
        sentence="Leave the rate at 1 and turn d_coef. Twice AdamW's memory; for the generator, with AdamW for the discriminator.",
        advice=("no learning rate",)),
    OptimizerSpec(
        **ESTIMATING, **FIRST_GUESS, name="DAdaptAdam", title="D-Adaptation Adam",
        description="Adam that estimates its rate from weighted sums of gradients.",
        paper=D_ADAPTATION, source=pytorch_optimizer("DAdaptAdam"),
        arguments={"betas": (0.9, 0.999), "d0": 1e-6, "weight_decay": 0.0, "bias_correction": True, "eps": 1e-8}, knobs=(SLOW_GROWTH,),
        state=StateBytes(12.0, 12.0), learns=2, stars=4.0,
        sentence="Leave the rate at 1; the first few hundred steps hardly move while it looks for its own. Its guarantees are not for "
                 "GANs.",
        advice=("no learning rate",)),
    OptimizerSpec(
        **ESTIMATING, name="DAdaptAdaGrad", title="D-Adaptation AdaGrad",
        description="AdaGrad that estimates its rate; the one the theory is about.",
        paper=D_ADAPTATION, source=pytorch_optimizer("DAdaptAdaGrad"),
        arguments={"momentum": 0.0, "d0": 1e-4, "weight_decay": 0.0, "eps": 0.0},
        state=StateBytes(12.0, 12.0), learns=6.5, stars=3.5,
        sentence="Its authors call it experimental. DAdaptAdam or Prodigy first.", advice=("no learning rate",)),
    OptimizerSpec(
        **ESTIMATING, name="DAdaptSGD", title="D-Adaptation SGD",
        description="SGD that estimates its rate.",
        # The library's first guess of 1e-6 is lost in the rounding of weights near 1, and takes some 600 steps to grow to where it settles.
        paper=D_ADAPTATION, source=pytorch_optimizer("DAdaptSGD"), arguments={"d0": 1e-3, "weight_decay": 0.0},
        knobs=(momentum(0.9), SLOW_GROWTH), clip_norm=BY_GRADIENT, first_steps=0.1 * UNEVEN, stays_still=LOST,
        state=StateBytes(12.0, 12.0), learns=8,
        stars=2.5,
        sentence="Follows the size of the gradient: clip it. It begins at a thousandth, for from the usual millionth it hardly moves."),
)
