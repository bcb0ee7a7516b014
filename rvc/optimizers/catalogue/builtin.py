"""What comes with PyTorch: Adam and its plain relatives, and what was there before them."""

from rvc.optimizers.spec import (
    OptimizerSpec,
    Paper,
    SameAs,
    StateBytes,
    beta1,
    knob,
    matched,
    momentum,
    torch_optim,
    weight_decay,
)

# What the whole RVC family trains with; HiFi-GAN's own betas are 0.8 and 0.99, for a GAN's gradients change their mind quickly.
RVC = {"betas": (0.8, 0.99), "eps": 1e-9}
ADAM_PAPER = Paper("Kingma and Ba", "Adam: A Method for Stochastic Optimization", 2014, "1412.6980", "ICLR 2015")
TWO_MOMENTS = StateBytes(8.0, 8.0)
ONE_MOMENT = StateBytes(4.0, 4.0)
BY_GRADIENT = 1.0  # what to clip at where the step is as long as the gradient, which RVC's mel loss multiplies by 45
# The same seen by the run doctor: gradients of the parts of a network differ a hundredfold, and so do such steps. On the gradients of the
# real networks the part that moves least goes 4e-6 (A2Grad) to 3e-5 (SGD) of its size in the best of 50 steps, with AdamW 2e-4.
UNEVEN = 0.1
LOST = "in the first steps, what has a small gradient and is itself near 1, as gains are: so short a step is lost in float32's rounding"

SPECS = (
    OptimizerSpec(
        name="AdamW", title="AdamW", category="PyTorch built-in",
        description="Adam, with a weight decay that the adaptive scaling does not touch.",
        paper=Paper("Loshchilov and Hutter", "Decoupled Weight Decay Regularization", 2017, "1711.05101", "ICLR 2019"),
        source=torch_optim("AdamW"), rates=matched(1e-4), arguments=RVC, knobs=(weight_decay(0.01), beta1(0.8)),
        state=TWO_MOMENTS, learns=3, stars=5.0,
        sentence="What RVC voices have always been trained with, and what the others are compared with. Stay here unless you are curious.",
        advice=("beginner",)),
    OptimizerSpec(
        name="NAdam", title="NAdam", category="PyTorch built-in",
        description="Adam with Nesterov's look ahead folded into the step.",
        paper=Paper("Dozat", "Incorporating Nesterov Momentum into Adam", 2016, None, "ICLR workshop; a course report in 2015"),
        source=torch_optim("NAdam"), rates=matched(1e-4), arguments={**RVC, "weight_decay": 0.0},
        knobs=(beta1(0.8), knob("momentum_decay", 0.004, 0.0, 0.1, "How quickly the momentum approaches beta1")),
        state=TWO_MOMENTS, learns=3, stars=4.5,
        sentence="Steps are a little longer than Adam's. The gradient is taken where the weights are, not ahead of them."),
    OptimizerSpec(
        name="RAdam", title="RAdam", category="PyTorch built-in",
        description="Adam that does not trust its variance before a few gradients have been seen.",
        paper=Paper("Liu, Jiang, He, Chen, Liu, Gao and Han", "On the Variance of the Adaptive Learning Rate and Beyond",
                    2019, "1908.03265", "ICLR 2020"),
        source=torch_optim("RAdam"), rates=matched(1e-4), arguments={**RVC, "weight_decay": 0.0}, knobs=(beta1(0.8),),
        clip_norm=BY_GRADIENT, stays_still=LOST, state=TWO_MOMENTS, learns=2.5, stars=4.0,
        sentence="Its first steps follow the raw gradient, then it changes over at once: clip the gradient, or they are as long as that."),
    OptimizerSpec(
        name="Adam", title="Adam", category="PyTorch built-in",
        description="Each weight's step is its mean gradient over the root of its mean square.",
        paper=ADAM_PAPER, source=torch_optim("Adam"), rates=matched(1e-4), arguments={**RVC, "weight_decay": 0.0}, knobs=(beta1(0.8),),
        state=TWO_MOMENTS, same_as=(SameAs("AdamW", "at weight decay 0"),), learns=3, stars=4.0,
        sentence="AdamW without weight decay; in a fine-tune you will not hear the difference.", advice=("beginner",)),
    OptimizerSpec(
        name="SGD", title="SGD with momentum", category="PyTorch built-in",
        description="Down the gradient, with momentum; one rate for every weight.",
        paper=Paper("Robbins and Monro; Polyak for the momentum", "A Stochastic Approximation Method", 1951, None,
                    "Annals of Mathematical Statistics 22; Polyak 1964"),
        source=torch_optim("SGD"), rates=matched(1e-2), arguments={"dampening": 0.0, "weight_decay": 0.0},
        knobs=(momentum(0.9),), clip_norm=BY_GRADIENT, first_steps=UNEVEN, state=ONE_MOMENT, learns=7,
        stars=3.0,
        sentence="A step is as long as the gradient, so the rate means something only with the gradient clipped to a norm of 1."),
    OptimizerSpec(
        name="RMSprop", title="RMSprop", category="PyTorch built-in",
        description="The gradient over the root of its mean square, without Adam's mean and corrections.",
        paper=Paper("Hinton", "Neural Networks for Machine Learning, lecture 6e", 2012, None, "course slides, with Tieleman"),
        source=torch_optim("RMSprop"), rates=matched(5e-5), arguments={"eps": 1e-8, "weight_decay": 0.0, "centered": False},
        knobs=(momentum(0.0), knob("alpha", 0.99, 0.5, 0.9999, "How long the mean square remembers")),
        state=ONE_MOMENT, learns=2.5, stars=3.0,
        sentence="Half of AdamW's memory. Its very first step is ten times the rate, hence the low default.", advice=("little memory",)),
    OptimizerSpec(
        name="Adagrad", title="Adagrad", category="PyTorch built-in",
        description="Divides by the root of all squared gradients so far, so steps only get shorter.",
        paper=Paper("Duchi, Hazan and Singer", "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011, None,
                    "JMLR 12"),
        source=torch_optim("Adagrad"), rates=matched(1e-3), arguments={"lr_decay": 0.0, "weight_decay": 0.0, "eps": 1e-10},
        knobs=(knob("initial_accumulator_value", 0.0, 0.0, 1.0, "What the sum of squares begins with; more shortens the first steps"),),
        state=ONE_MOMENT, learns=3, stars=2.5,
        sentence="Half of AdamW's memory; made for rare features. Long runs come to a standstill by design."),
    OptimizerSpec(
        name="Adadelta", title="Adadelta", category="PyTorch built-in",
        description="Scales gradients by the ratio of recent step sizes to recent gradient sizes.",
        paper=Paper("Zeiler", "ADADELTA: An Adaptive Learning Rate Method", 2012, "1212.5701"),
        source=torch_optim("Adadelta"), rates=matched(3e-2), arguments={"eps": 1e-6, "weight_decay": 0.0},
        knobs=(knob("rho", 0.9, 0.5, 0.9999, "How long both means remember"),),
        state=TWO_MOMENTS, learns=2.5, stars=2.5,
        sentence="It was meant to need no rate; at its own 1 it runs away here, so this one is low."),
    OptimizerSpec(
        name="Adamax", title="Adamax", category="PyTorch built-in",
        description="Adam that divides by the largest recent gradient in place of the mean square.",
        paper=Paper(ADAM_PAPER.authors, ADAM_PAPER.title + " (section 7)", 2014, ADAM_PAPER.arxiv, ADAM_PAPER.venue),
        source=torch_optim("Adamax"), rates=matched(2e-4), arguments={"betas": (0.8, 0.99), "eps": 1e-8, "weight_decay": 0.0},
        knobs=(beta1(0.8),), state=TWO_MOMENTS, learns=3, stars=2.5,
        sentence="One large gradient makes its steps short for a while; otherwise an Adam that goes half as far."),
    OptimizerSpec(
        name="ASGD", title="Averaged SGD", category="PyTorch built-in",
        description="SGD whose voice is the mean of all weights from the middle of the run on.",
        paper=Paper("Polyak and Juditsky", "Acceleration of Stochastic Approximation by Averaging", 1992, None,
                    "SIAM Journal on Control and Optimization 30; this form after Bottou"),
        source=torch_optim("ASGD"), rates=matched(1e-2), arguments={"alpha": 0.75, "weight_decay": 0.0},
        knobs=(knob("lambd", 1e-4, 0.0, 1e-2, "Decay of weights and rate"),), clip_norm=BY_GRADIENT, first_steps=UNEVEN, scheduled=False,
        schedule_says="lowers its rate itself; an average over a vanishing rate would be of one point", evaluation="average",
        total_steps_argument=("t0", 0.5), state=ONE_MOMENT, learns=5, stars=2.5,
        sentence="Voices and scores come from the averaged weights, which begin at half of the run; before that it is slow SGD."),
    OptimizerSpec(
        name="AdaFactor", title="Adafactor", category="memory-efficient",
        description="Keeps row and column sums of squared gradients in place of a full table, and no mean.",
        paper=Paper("Shazeer and Stern", "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018, "1804.04235", "ICML 2018"),
        source=torch_optim("Adafactor"), rates=matched(1e-3),
        arguments={"beta2_decay": -0.8, "eps": (None, 1e-3), "weight_decay": 0.0},
        knobs=(knob("d", 1.0, 0.1, 10.0, "Steps whose root mean square is above this are shortened to it"),),
        state=StateBytes(1.3, 4.5), learns=3, stars=4.0,
        sentence="The smallest state of the adaptive ones: a sixth of AdamW's for G, but half of it for D, whose kernels factor badly.",
        advice=("little memory",)),
)
