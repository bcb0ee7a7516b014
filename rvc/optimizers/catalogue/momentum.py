"""Those that differ in how they carry earlier gradients on."""

from rvc.optimizers.catalogue.builtin import BY_GRADIENT, LOST, TWO_MOMENTS, UNEVEN
from rvc.optimizers.spec import OptimizerSpec, Paper, SameAs, StateBytes, knob, matched, momentum, pytorch_optimizer

SPECS = (
    OptimizerSpec(
        name="A2Grad", title="A2Grad", category="other",
        description="Nesterov's accelerated method with a step that shrinks by the noise seen so far.",
        paper=Paper("Deng, Cheng and Lan", "Optimal Adaptive and Accelerated Stochastic Gradient Descent", 2018, "1810.00553"),
        source=pytorch_optimizer("A2Grad", "rvc.optimizers.a2grad.A2Grad"), arguments={"variant": "uni"},
        rates=matched(1e-3, reason="The paper has no rate but a Lipschitz constant, of which this is the inverse; 1e3 to 1e4 did well."),
        knobs=(knob("noise", 1e-3, 0.0, 1.0, "How much the noise seen so far shortens the steps"),), clip_norm=BY_GRADIENT,
        first_steps=UNEVEN, stays_still=LOST, scheduled=False,
        schedule_says="constant: its steps follow a rule of their own, and the paper knows no rate", state=TWO_MOMENTS, learns=25,
        stars=2.0,
        sentence="Best in theory, for convex problems. The rate is one over the paper's Lipschitz constant; clip the gradient."),
    OptimizerSpec(
        name="AggMo", title="AggMo", category="momentum and control",
        description="SGD with several momenta at once, averaged.",
        paper=Paper("Lucas, Sun, Zemel and Grosse", "Aggregated Momentum: Stability Through Passive Damping",
                    2018, "1804.00325", "ICLR 2019"),
        source=pytorch_optimizer("AggMo"), rates=matched(3e-3), arguments={"betas": (0.0, 0.9, 0.99), "weight_decay": 0.0},
        knobs=(knob("slowest", 0.99, 0.0, 0.999, "The longest of the three momenta; the others are 0 and 0.9", into="betas", place=2),),
        clip_norm=BY_GRADIENT, first_steps=UNEVEN, stays_still=LOST, state=StateBytes(12.0, 12.0), learns=21,
        stars=2.0,
        sentence="Goes up to 37 times as far as SGD at the same rate, and as the gradient's size says: clip it."),
    OptimizerSpec(
        name="PID", title="PID", category="momentum and control",
        description="SGD with momentum and a term for how the gradient changes, after controllers in engineering.",
        paper=Paper("An, Wang, Sun, Xu, Dai and Zhang", "A PID Controller Approach for Stochastic Optimization of Deep Networks",
                    2018, None, "CVPR 2018"),
        source=pytorch_optimizer("PID"), rates=matched(1e-3), arguments={"dampening": 0.0, "weight_decay": 0.0},
        knobs=(momentum(0.9), knob("integral", 5.0, 0.0, 100.0, "Weight of the gradients so far"),
               knob("derivative", 10.0, 0.0, 100.0, "Weight of the change of the gradient")),
        clip_norm=BY_GRADIENT, first_steps=UNEVEN, stays_still=LOST, rewrites_gradients=True, state=StateBytes(12.0, 12.0),
        same_as=(SameAs("SGD", "at momentum 0, both"),),
        learns=15,
        stars=2.0,
        sentence="Steps are 16 to 51 times plain SGD's at the same rate: clip the gradient, and do not raise the rate."),
)
