"""Relatives of Adam: another mean, another denominator, another mixture."""

from rvc.optimizers.catalogue.builtin import RVC, TWO_MOMENTS
from rvc.optimizers.spec import (
    OptimizerSpec,
    Paper,
    SameAs,
    StateBytes,
    beta1,
    knob,
    matched,
    optimi,
    pytorch_optimizer,
    weight_decay,
)

BELIEF = Paper("Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris and Duncan",
               "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients", 2020, "2010.07468", "NeurIPS 2020")
# With the usual 1e-8 added to it, the small variance of the surprise would be drowned and the method would be SGD with momentum.
SURPRISE = {"betas": (0.8, 0.99), "eps": 1e-16, "weight_decay": 0.0, "rectify": False}

SPECS = (
    OptimizerSpec(
        name="Adan", title="Adan", category="Nesterov",
        description="Adam with Nesterov's look ahead, estimated from the differences of gradients.",
        paper=Paper("Xie, Zhou, Li, Lin and Yan", "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models", 2022,
                    "2208.06677", "TPAMI 2024"),
        source=pytorch_optimizer("Adan"), rates=matched(3e-4),
        arguments={"betas": (0.98, 0.92, 0.99), "eps": 1e-8, "max_grad_norm": 0.0, "weight_decouple": True}, knobs=(weight_decay(0.0),),
        state=StateBytes(16.0, 16.0), learns=4.5, stars=4.0,
        sentence="Among the fastest in small tries, for twice AdamW's memory.", advice=("fast convergence",)),
    OptimizerSpec(
        name="AnyPrecisionAdamW", title="Any-precision AdamW", category="mixed precision",
        description="AdamW that keeps what rounding would lose when the weights themselves are in half precision.",
        paper=Paper("torchdistX; the idea: Zamirai, Zhang, Aberger and De Sa", "Revisiting BFloat16 Training", 2020, "2010.06192",
                    "no paper of its own; code of 2022"),
        source=optimi("AdamW"), rates=matched(1e-4), arguments=RVC, knobs=(weight_decay(0.01), beta1(0.8)),
        state=TWO_MOMENTS, same_as=(SameAs("AdamW", "on float32 weights, which all training here has", by_default=True),), learns=3,
        stars=4.0,
        sentence="With --precision bf16 the weights stay float32, and this is AdamW. It would differ only for weights kept in bf16."),
    OptimizerSpec(
        name="Ranger21", title="Ranger21", category="combined",
        description="AdamW with eight additions, Lookahead, clipping by unit and a stable decay among them.",
        paper=Paper("Wright and Demeure", "Ranger21: a synergistic deep learning optimizer", 2021, "2106.13731"),
        source=pytorch_optimizer("Ranger21"), rates=matched(3e-4),
        # Centred gradients would freeze every gain of a weight norm: a mean over one number is that number.
        arguments={"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-4, "centralize_gradients": False, "disable_lr_scheduler": True},
        knobs=(knob("lookahead_k", 5, 1, 100, "Steps between two looks back at the slow weights", into="lookahead_merge_time"),
               knob("lookahead_alpha", 0.5, 0.01, 1.0, "How far the slow weights follow", into="lookahead_blending_alpha")),
        total_steps_argument=("num_iterations", 1.0), rewrites_gradients=True,
        schedule_says="follows the run's schedule; its own warm-up and warm-down are off, two schedules would multiply",
        state=StateBytes(20.0, 20.0), learns=2.5, stars=4.0,
        sentence="The largest state of all. Gradient centralisation is off: together with weight norm it freezes every gain."),
    OptimizerSpec(
        name="PAdam", title="Padam", category="partial adaptive",
        description="Adam with the denominator's power turned down, half-way to SGD.",
        paper=Paper("Chen, Zhou, Tang, Yang, Cao and Gu",
                    "Closing the Generalization Gap of Adaptive Gradient Methods in Training Deep Neural Networks", 2018, "1806.06763",
                    "IJCAI 2020"),
        source=pytorch_optimizer("PAdam"), rates=matched(5e-4), arguments={"betas": (0.8, 0.99), "eps": 1e-8, "weight_decay": 0.0},
        knobs=(knob("partial", 0.25, 0.01, 0.5, "Power of the mean square: 0.5 is Adam, towards 0 it becomes SGD; its authors use 0.125"),),
        clip_norm=1.0, state=TWO_MOMENTS, same_as=(SameAs("Adam", "at partial 0.5"),), learns=3, stars=4.0,
        sentence="The lower partial, the more a step follows the size of the gradient: clip it. Without the paper's AMSGrad maximum."),
    OptimizerSpec(
        name="AdaBelief", title="AdaBelief", category="belief-based",
        description="Divides by how much gradients surprise, not by how large they are.",
        paper=BELIEF, source=pytorch_optimizer("AdaBelief"), rates=matched(1e-4), arguments={**SURPRISE, "ams_bound": False},
        knobs=(beta1(0.8),), state=TWO_MOMENTS, learns=4, stars=3.0,
        sentence="Where gradients agree it steps further than Adam. Its eps is 1e-16: with Adam's it would be another method."),
    OptimizerSpec(
        name="AdaBeliefV2", title="AdaBelief with AMSGrad", category="belief-based",
        description="AdaBelief whose denominator never shrinks; a name for one option, not a second version.",
        paper=Paper("Reddi, Kale and Kumar, on top of AdaBelief", "On the Convergence of Adam and Beyond", 2018, "1904.09237",
                    "ICLR 2018; AdaBelief itself is 2010.07468"),
        source=pytorch_optimizer("AdaBelief"), rates=matched(1e-4), arguments={**SURPRISE, "ams_bound": True}, knobs=(beta1(0.8),),
        state=StateBytes(12.0, 12.0), learns=4, stars=3.0,
        sentence="One large gradient shortens its steps for the rest of the run. Nobody published it; AdaBelief offers it as a switch."),
    OptimizerSpec(
        name="QHAdam", title="QHAdam", category="momentum and control",
        description="Mixes Adam's means with the latest gradient.",
        paper=Paper("Ma and Yarats", "Quasi-hyperbolic momentum and Adam for deep learning", 2018, "1810.06801", "ICLR 2019"),
        source=pytorch_optimizer("QHAdam"), rates=matched(1e-4),
        arguments={"betas": (0.995, 0.999), "nus": (0.7, 1.0), "eps": 1e-8, "weight_decay": 0.0},
        knobs=(knob("nu1", 0.7, 0.0, 1.0, "Share of the mean in the step; the rest is the latest gradient", into="nus", place=0),
               knob("nu2", 1.0, 0.0, 1.0, "Share of the mean square in the denominator", into="nus", place=1)),
        state=TWO_MOMENTS, same_as=(SameAs("Adam", "at nu1 1 and nu2 1, with betas of 0.995 and 0.999"),), learns=2.5,
        stars=2.5,
        sentence="Both nus at 1 is Adam, both at 0 is the sign of the gradient; 0.7 and 1 are its authors'."),
    OptimizerSpec(
        name="SWATS", title="SWATS", category="combined",
        description="Adam that changes to SGD when the rate it would use there has settled.",
        paper=Paper("Keskar and Socher", "Improving Generalization Performance by Switching from Adam to SGD", 2017, "1712.07628"),
        source=pytorch_optimizer("SWATS", "rvc.optimizers.swats.Swats"), rates=matched(1e-4),
        arguments={"betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.0}, knobs=(beta1(0.8),), clip_norm=1.0,
        state=TWO_MOMENTS, same_as=(SameAs("Adam", "until it switches, but for an eps of 1e-6"),), learns=3,
        stars=2.5,
        sentence="The switch comes by the scale of the gradients, not by merit, and often within a hundred steps; after it this is SGD."),
    OptimizerSpec(
        name="Yogi", title="Yogi", category="other",
        description="Adam whose mean square changes by steps of the square, not by shares of itself.",
        paper=Paper("Zaheer, Reddi, Sachan, Kale and Kumar", "Adaptive Methods for Nonconvex Optimization", 2018, None, "NeurIPS 2018"),
        source=pytorch_optimizer("Yogi"), rates=matched(2e-4),
        arguments={"betas": (0.9, 0.999), "eps": 1e-3, "initial_accumulator": 1e-6, "weight_decay": 0.0}, knobs=(beta1(0.9),),
        state=TWO_MOMENTS, learns=5, stars=2.0,
        sentence="Its mean square can fall, but slowly, so its steps never lengthen suddenly. Its eps of 1e-3 makes small gradients count "
                 "less."),
)
