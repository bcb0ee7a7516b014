"""Those that look at a weight as a matrix, or at the curvature of the loss."""

from rvc.optimizers.catalogue.builtin import ONE_MOMENT
from rvc.optimizers.spec import OptimizerSpec, Paper, StateBytes, knob, matched, momentum, pytorch_optimizer

NOT_MATRICES = ("AdamW at half the rate for biases, the gains of weight norms, embeddings, and the first and last layers: what is no "
                "matrix, or one from or to a single channel")

SPECS = (
    OptimizerSpec(
        name="Muon", title="Muon", category="second-order",
        description="Makes the momentum of each matrix orthogonal, so that every direction of it moves alike. First order, whatever its "
                    "shelf.",
        paper=Paper("Jordan, Jin, Boza, You, Cesista, Newhouse and Bernstein", "Muon: An optimizer for hidden layers in neural networks",
                    2024, None, "blog post, December 2024; the scaling of the rate: Liu et al. 2025, arXiv 2502.16982"),
        source=pytorch_optimizer("Muon"), rates=matched(2e-4),
        arguments={"nesterov": True, "use_adjusted_lr": True, "weight_decay": 0.0},
        knobs=(momentum(0.95), knob("ns_steps", 5, 1, 20, "Newton-Schulz steps towards orthogonality")),
        grouping="muon", grouping_says=f"kernels as matrices of outputs × everything else; {NOT_MATRICES}", rest_rate=0.5,
        rewrites_gradients=True, state=ONE_MOMENT, learns=2.5, stars=5.0,
        sentence="Made for the hidden matrices of language models. Under weight norm only a kernel's direction counts, so its gain is "
                 "unproven.",
        advice=("fast convergence", "little memory")),
    OptimizerSpec(
        name="Sophia", title="Sophia", category="second-order",
        description="The mean gradient over an estimate of the curvature, clipped element by element.",
        paper=Paper("Liu, Li, Hall, Liang and Ma", "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training",
                    2023, "2305.14342", "ICLR 2024"),
        source=pytorch_optimizer("SophiaH", "rvc.optimizers.sophia.Sophia"), rates=matched(2e-3),
        arguments={"betas": (0.96, 0.99), "weight_decay": 0.0, "eps": 1e-12},
        knobs=(knob("interval", 10, 1, 1000, "Steps between two looks at the curvature"),
               knob("clip", 0.01, 1e-4, 1.0, "The largest step of a weight, as a share of the rate", into="p")),
        curvature_every="interval", state=StateBytes(12.0, 12.0), learns=1.5, stars=5.0,
        sentence="A stand-in: the curvature is the squared gradient of the batch, for the paper's own estimates need class labels or a "
                 "second backward pass that mixed precision and several GPUs break."),
    OptimizerSpec(
        name="Shampoo", title="Shampoo", category="second-order",
        description="Turns each gradient by the roots of its row and column covariances.",
        paper=Paper("Gupta, Koren and Singer; the scalable form: Anil, Gupta, Koren, Regan and Singer 2020, arXiv 2002.09018",
                    "Shampoo: Preconditioned Stochastic Tensor Optimization", 2018, "1802.09568", "ICML 2018"),
        source=pytorch_optimizer("ScalableShampoo", "rvc.optimizers.shampoo.Shampoo"), rates=matched(2e-4),
        # Grafted: AdaGrad says how far, Shampoo where to. The plain form ended in a singular matrix whenever it was tried here.
        arguments={"betas": (0.9, 0.999), "graft_type": 2, "weight_decay": 0.0, "start_preconditioning_step": 25,
                   "statistics_compute_steps": 1, "matrix_eps": 1e-6, "block_size": 512, "no_preconditioning_for_layers_with_dim_gt": 8192},
        knobs=(knob("interval", 100, 10, 10000, "Steps between two computations of the roots, which are the slow part",
                    into="preconditioning_compute_steps"),),
        grouping="matrices", grouping_says=f"kernels in blocks of up to 512; {NOT_MATRICES}", rest_rate=0.5,
        state=StateBytes(21.7, 18.2), learns=5, stars=2.5,
        sentence="The scalable form, in blocks of 512 and with AdaGrad's step lengths. Slow, and more than twice AdamW's memory."),
    OptimizerSpec(
        name="SOAP", title="SOAP", category="second-order",
        description="Adam in the eigenbasis that Shampoo would use.",
        paper=Paper("Vyas, Morwani, Zhao, Kwun, Shapira, Brandfonbrener, Janson and Kakade",
                    "SOAP: Improving and Stabilizing Shampoo using Adam", 2024, "2409.11321", "ICLR 2025"),
        source=pytorch_optimizer("SOAP"), rates=matched(2e-4),
        arguments={"betas": (0.95, 0.95), "eps": 1e-8, "weight_decay": 0.0, "max_precondition_dim": 1024, "precondition_1d": False},
        knobs=(knob("interval", 10, 1, 1000, "Steps between two renewals of the eigenbasis", into="precondition_frequency"),),
        grouping="matrices", grouping_says=f"kernels along each side of up to 1024; {NOT_MATRICES}", rest_rate=0.5,
        stays_still="kernels in the very first step, which only builds their eigenbasis",
        state=StateBytes(15.4, 15.3), learns=5.5, stars=2.5,
        sentence="Strong in small tries, at several times the time per step and twice AdamW's memory. Its first step only looks.",
        advice=("fast convergence",)),
    OptimizerSpec(
        name="Apollo", title="Apollo", category="quasi-Newton",
        description="A diagonal curvature from how gradients changed along the last step.",
        paper=Paper("Ma", "Apollo: An Adaptive Parameter-wise Diagonal Quasi-Newton Method for Nonconvex Stochastic Optimization", 2020,
                    "2009.13586"),
        source=pytorch_optimizer("ApolloDQN"), rates=matched(3e-4),
        # Its own warm-up, which would ignore the run's schedule, is off in favour of ours.
        arguments={"beta": 0.9, "rebound": "belief", "weight_decay": 0.0, "warmup_steps": 0, "eps": 1e-4}, warmup_steps=500,
        first_steps=0.1,
        state=StateBytes(12.0, 12.0), learns=3.5, stars=4.0,
        sentence="Needs its warm-up of 500 steps. Not APOLLO (arXiv 2412.05270) of 2024, which is about memory."),
)
