"""Those whose step is measured by the size of what it changes: a tensor, or a neuron."""

from rvc.optimizers.catalogue.builtin import LOST, ONE_MOMENT, TWO_MOMENTS
from rvc.optimizers.spec import (
    OptimizerSpec,
    Paper,
    StateBytes,
    beta1,
    knob,
    matched,
    momentum,
    our_own,
    pytorch_optimizer,
    weight_decay,
)

SPECS = (
    OptimizerSpec(
        name="NovoGrad", title="NovoGrad", category="normalized",
        description="One mean square per tensor: the gradient's norm sets the scale, not each weight's own history.",
        paper=Paper("Ginsburg, Castonguay, Hrinchuk, Kuchaiev and others",
                    "Stochastic Gradient Methods with Layer-wise Adaptive Moments for Training of Deep Networks", 2019, "1905.11286"),
        source=pytorch_optimizer("NovoGrad"), rates=matched(1e-3), arguments={"betas": (0.95, 0.98), "eps": 1e-8, "weight_decay": 0.0},
        knobs=(beta1(0.95),), rewrites_gradients=True, state=ONE_MOMENT, learns=19, stars=3.5,
        sentence="Half of AdamW's memory. The larger a tensor, the smaller the step of each of its weights."),
    OptimizerSpec(
        name="LAMB", title="LAMB", category="layer-adaptive",
        description="Adam's step, scaled per tensor to a share of the size of the weights.",
        paper=Paper("You, Li, Reddi, Hseu, Kumar and others", "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
                    2019, "1904.00962", "ICLR 2020"),
        source=pytorch_optimizer("Lamb"), rates=matched(5e-4), arguments={"betas": (0.9, 0.999), "eps": 1e-6},
        knobs=(weight_decay(0.01), beta1(0.9)),
        state=TWO_MOMENTS, learns=3, stars=3.0,
        sentence="Made for batches of thousands; at RVC's 4 to 16 it is an Adam that respects the size of each layer.",
        advice=("large batch",)),
    OptimizerSpec(
        name="LARS", title="LARS", category="layer-adaptive",
        description="SGD with momentum, scaled per tensor to a share of the size of the weights.",
        paper=Paper("You, Gitman and Ginsburg", "Large Batch Training of Convolutional Networks", 2017, "1708.03888"),
        source=pytorch_optimizer("LARS"), rates=matched(5e-2), arguments={"weight_decay": 0.0, "dampening": 0.0},
        knobs=(momentum(0.9), knob("trust_coefficient", 1e-3, 1e-5, 1e-1, "The share of its size that a tensor moves, times the rate")),
        grouping=""
                 "layers",
        grouping_says="tensors of one dimension in a group of their own at a thousandth of the rate: no share is taken of them",
        rest_rate=1e-3, clip_norm=1.0, stays_still=LOST, rewrites_gradients=True, state=ONE_MOMENT, learns=2,
        stars=3.0,
        sentence="Made for image networks and batches of thousands; slow at the batches a voice is trained with.", advice=("large batch",)),
    OptimizerSpec(
        name="Fromage", title="Fromage", category="normalized",
        description="Each tensor moves by a fixed share of its own size.",
        paper=Paper("Bernstein, Vahdat, Yue and Liu", "On the distance between two neural networks and the stability of learning", 2020,
                    "2002.03432", "NeurIPS 2020"),
        source=our_own("rvc.optimizers.fromage.Fromage"), rates=matched(5e-4), clip_norm=1.0, state=StateBytes(0.0, 0.0), learns=2,
        stars=2.0,
        sentence="No memory at all, and no momentum: noisy. Written here from the paper, for its published code is not free for every use.",
        advice=("little memory",)),
    OptimizerSpec(
        name="Nero", title="Nero", category="normalized",
        description="Each neuron turns by a fixed angle.",
        paper=Paper("Liu, Bernstein, Meister and Yue", "Learning by Turning: Neural Architecture Aware Optimisation", 2021, "2102.07227",
                    "ICML 2021"),
        source=our_own("rvc.optimizers.nero.Nero"), rates=matched(5e-4), arguments={"beta": 0.999, "constraints": False},
        state=StateBytes(0.02, 0.02), learns=2, stars=2.0,
        sentence="Without the paper's constraints: they would set every gain of a weight norm to 0 and rescale every pretrained kernel.",
        advice=("little memory",)),
)
