"""Those that remember less."""

from rvc.optimizers.catalogue.builtin import ONE_MOMENT
from rvc.optimizers.spec import OptimizerSpec, Paper, StateBytes, beta1, knob, matched, momentum, pytorch_optimizer, weight_decay

SPECS = (
    OptimizerSpec(
        name="Lion", title="Lion", category="sign-based",
        description="Every weight moves by exactly the rate, in the direction of its momentum's sign.",
        paper=Paper("Chen, Liang, Huang, Real, Wang and others", "Symbolic Discovery of Optimization Algorithms", 2023, "2302.06675",
                    "NeurIPS 2023"),
        source=pytorch_optimizer("Lion"), rates=matched(3e-5), arguments={"betas": (0.9, 0.99)},
        knobs=(weight_decay(0.03), beta1(0.9), knob("beta2", 0.99, 0.5, 0.9999, "How long the momentum remembers", into="betas", place=1)),
        state=ONE_MOMENT, learns=1.5, stars=4.5,
        sentence="Half of AdamW's memory at a third of its rate. Higher rates than AdamW's tear it: a sign never gets smaller by itself.",
        advice=("little memory",)),
    OptimizerSpec(
        name="CAME", title="CAME", category="memory-efficient",
        description="Adafactor that takes smaller steps where its own estimate proves unreliable.",
        paper=Paper("Luo, Ren, Zheng, Jiang, Jiang and You", "CAME: Confidence-guided Adaptive Memory Efficient Optimization",
                    2023, "2307.02047", "ACL 2023"),
        source=pytorch_optimizer("CAME"), rates=matched(2e-5),
        arguments={"betas": (0.9, 0.999, 0.9999), "weight_decay": 0.0, "eps1": 1e-30, "eps2": 1e-16},
        knobs=(knob("clip_threshold", 1.0, 0.1, 10.0, "Steps whose root mean square is above this are shortened to it"),),
        warmup_steps=1000, first_steps=0.05, state=StateBytes(6.6, 13.0), learns=7, stars=3.5,
        sentence="Saves memory on wide matrices, but on the discriminator's kernels it needs more than AdamW. Warms up over 1000 steps."),
    OptimizerSpec(
        name="SM3", title="SM3", category="memory-efficient",
        description="AdaGrad that keeps one maximum per row and column in place of a sum per weight.",
        paper=Paper("Anil, Gupta, Koren and Singer", "Memory-Efficient Adaptive Optimization", 2019, "1901.11150", "NeurIPS 2019"),
        source=pytorch_optimizer("SM3"), rates=matched(2e-3), arguments={"beta": 0.0, "eps": 1e-30}, knobs=(momentum(0.9),),
        state=ONE_MOMENT, learns=3, stars=2.0,
        sentence="The momentum is what is left of its memory: half of AdamW's. Steps only get shorter, as with Adagrad."),
)
