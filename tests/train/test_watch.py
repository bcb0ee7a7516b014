"""The run doctor on streams of numbers: each trouble is seen, named and advised upon, once; health raises nothing."""

import math
import subprocess
import sys

import numpy as np
import pytest

from rvc.events import Finding, Metrics
from rvc.paths import PROJECT
from rvc.train.fitting import watch
from rvc.train.fitting.watch import RunDoctor

CRITICS = 9
MODULES = ("g/enc_p", "g/enc_q", "g/flow", "g/dec", "g/emb_g", *(f"d/{i}" for i in range(CRITICS)))


def healthy(step: int, random: np.random.Generator, *, scratch: bool = False, rate: float = 1e-4) -> dict[str, float]:
    """What a step of a fit that goes well logs. From scratch: as measured on the tiny network, with its wild first steps."""
    def about(value: float, spread: float = 0.15) -> float:
        return float(value * np.exp(spread * random.standard_normal()))

    early = math.exp(-step / 300) if scratch else 0.0
    real, fake = about(0.2 + 0.75 * early), about(0.2 * (1 - early) + 1e-3)
    values = {"loss/g/adv": CRITICS * about(0.35 + 0.6 * early), "loss/g/fm": about(8), "loss/g/mel": about(18 + 70 * early),
              "loss/g/kl": about(1.2 + 60 * early) + 0.2 * random.standard_normal(), "loss/d/real": real, "loss/d/fake": fake,
              "loss/d/adv": CRITICS * (real + fake), "grad/norm_g": about(150 + 1000 * early, 0.5), "grad/norm_d": about(15, 0.5),
              "learning_rate": rate, "grad/clipped_g": float(random.random() < 0.03), "grad/clipped_d": 0.0,
              "time/data_fraction": about(0.02)}
    values["loss/g/total"] = sum(values[f"loss/g/{one}"] for one in ("adv", "fm", "mel", "kl"))
    if step <= 50 or step % 50 == 0:
        settled = 1 / (1 + step / 20) + 0.05
        values |= {f"update/{one}": about(rate * settled * (0.1 if one == "g/emb_g" else 15)) for one in MODULES}
    if step % 97 == 0:  # one spike, as an odd clip makes it
        values |= {"grad/norm_g": 4000.0, "grad/norm_d": 500.0, "loss/g/kl": -0.3}
    return values


def examined(doctor: RunDoctor, steps, change=lambda step, values: values, *, scratch: bool = False, seed: int = 0) -> list[Finding]:
    random = np.random.default_rng(seed)
    found = []
    for step in steps:
        values = change(step, healthy(step, random, scratch=scratch))
        found += doctor.examine(Metrics(step=step, total_steps=10_000, epoch=1, epochs=9, steps_per_second=1.0, values=values))
    return found


def doctor(**values) -> RunDoctor:
    return RunDoctor(**{"fine_tune": True, "n_critics": CRITICS, "learning_rate": 1e-4, **values})


def always(**changed):
    """Numbers by tags whose / is written __ here: the same at every step."""
    wanted = {tag.replace("__", "/"): value for tag, value in changed.items()}
    return lambda step, values: {**values, **wanted}


def times(factor: float, *modules: str):
    """The updates of ``modules`` (all, if none is named), ``factor`` times as large."""
    def changed(step, values):
        return {tag: value * factor if tag.startswith("update/") and (not modules or tag.removeprefix("update/") in modules) else value
                for tag, value in values.items()}
    return changed


def moving(change: float, module: str):
    """The update of one module, in the steps in which it is measured."""
    tag = f"update/{module}"
    return lambda step, values: values | ({tag: change} if tag in values else {})


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("scratch", [False, True])
def test_a_healthy_run_raises_nothing(scratch, seed):
    assert examined(doctor(fine_tune=not scratch), range(1, 800), scratch=scratch, seed=seed) == []


TROUBLES = {
    "not_finite": (always(loss__g__mel=float("nan")), 3, "loss/g/mel is nan", "precision fp32"),
    "kl_negative": (always(loss__g__kl=-0.4), 30, "-0.4", "pretrain"),
    "kl_near_zero": (always(loss__g__kl=0.004), 30, "0.004", "learning rate"),
    "gradient_g": (always(grad__norm_g=1530.0), 15, "1,530", "learning rate"),
    "gradient_d": (always(grad__norm_d=140.0), 15, "140", "gradient limit of D to 100"),
    "frozen": (times(1e-4, "g/flow", "d/3"), 60, "the flow and critic 3 of the discriminator", "Raise the learning rate"),
    "exploding": (moving(0.2, "g/dec"), 30, "the vocoder (dec)", "ten times lower"),
    "discriminator_gives_up": (always(loss__d__adv=0.5 * CRITICS, loss__d__real=0.25, loss__d__fake=0.25), 250, "0.50", "D file"),
    "discriminator_wins": (always(loss__d__adv=0.04 * CRITICS, loss__d__real=0.02, loss__d__fake=0.02, loss__g__adv=0.95 * CRITICS),
                           250, "0.020 on real", "learning rate of the discriminator"),
    "data_starved": (always(time__data_fraction=0.8), 60, "80%", "Keep the data on the GPU"),
    "loss_scale": (always(scale=0.5), 3, "0.5", "bf16"),
    "clipping_g": (always(grad__clipped_g=1.0), 60, "100% of the steps", "limit of G"),
    "clipping_d": (always(grad__clipped_d=0.97), 60, "97% of the steps", "limit of D"),
}


@pytest.mark.parametrize("code", TROUBLES)
def test_each_trouble_is_seen_once_with_its_number_and_what_to_do(code):
    change, steps, seen, advice = TROUBLES[code]
    found = examined(doctor(), range(1, steps + 1), change)
    assert [one.code for one in found] == [code]
    assert seen in found[0].message
    assert advice in found[0].advice


@pytest.mark.parametrize("code", TROUBLES)
def test_trouble_that_stays_is_told_seldom(code, monkeypatch):
    monkeypatch.setattr(watch, "REPEAT_STEPS", 400)
    found = examined(doctor(), range(1, 760), TROUBLES[code][0])
    assert [one.code for one in found] == ([code] if code == "frozen" else [code, code])


@pytest.mark.parametrize("code", [code for code in TROUBLES if code != "frozen"])  # that is judged once
def test_trouble_that_went_away_is_told_again_when_it_comes_back(code):
    change = TROUBLES[code][0]
    found = examined(doctor(), range(1, 2001), lambda step, values: values if 500 < step <= 1500 else change(step, values))
    assert [one.code for one in found] == [code, code]
    assert found[1].step > 1500


def test_trouble_that_flickers_is_told_once():
    change = TROUBLES["not_finite"][0]
    found = examined(doctor(), range(1, 1001), lambda step, values: change(step, values) if step % 100 == 0 else values)
    assert [one.step for one in found] == [100]


def test_one_spike_is_no_trouble():
    for tag in ("grad/norm_g", "grad/norm_d", "time/data_fraction"):
        assert examined(doctor(), range(1, 300), lambda step, values, tag=tag: values | ({tag: 1e9} if step == 150 else {})) == []


def test_large_gradients_are_only_spoken_of_in_a_fine_tune():
    assert examined(doctor(fine_tune=False), range(1, 300), always(grad__norm_g=5000.0, grad__norm_d=900.0)) == []


def test_of_large_gradients_that_are_limited_only_the_limit_is_spoken_of():
    found = examined(doctor(), range(1, 300), always(grad__norm_g=5000.0, grad__clipped_g=1.0))
    assert {one.code for one in found} == {"clipping_g"}


@pytest.mark.parametrize("code", ["discriminator_wins", "discriminator_gives_up"])
def test_critics_are_not_judged_at_the_beginning_of_a_training_from_scratch(code):
    change = TROUBLES[code][0]
    assert examined(doctor(fine_tune=False), range(1, watch.SCRATCH_STEPS + 1), change) == []
    assert [one.code for one in examined(doctor(fine_tune=False), range(watch.SCRATCH_STEPS, watch.SCRATCH_STEPS + 300), change)] == [code]


def test_critics_that_do_worse_than_guessing_cannot_tell_either():
    found = examined(doctor(), range(1, 250), always(loss__d__adv=1.0 * CRITICS, loss__d__real=1.0, loss__d__fake=0.0))
    assert [one.code for one in found] == ["discriminator_gives_up"]


@pytest.mark.parametrize(("factor", "code", "within"), [(1e-4, "frozen", 50), (1e4, "exploding", 1), (1e3, "exploding", 1)])
def test_a_learning_rate_that_is_wrong_by_far_is_seen_in_the_first_fifty_steps(factor, code, within):
    found = examined(doctor(learning_rate=0.0), range(1, within + 1), times(factor))
    assert [one.code for one in found] == [code]
    assert all(word in found[0].message for word in ("enc_p", "enc_q", "flow", "dec", "critic 0, 1, 2, 3, 4, 5, 6, 7, 8"))


def test_weights_that_move_little_in_warm_up_are_not_frozen():
    def warming(step, values):
        return times(share(step))(step, values) | {"learning_rate": 1e-4 * share(step)}

    def share(step):
        return min(1.0, step / 20_000)

    assert examined(doctor(), range(1, 1500), warming) == []


def test_weights_that_still_do_not_move_after_the_warm_up_are_frozen():
    def warming(step, values):
        share = min(1.0, step / 400)
        return times(1e-4 * share)(step, values) | {"learning_rate": 1e-4 * share}

    found = examined(doctor(), range(1, 1500), warming)
    assert [one.code for one in found] == ["frozen"]
    assert found[0].step > 400


def test_a_resumed_run_at_the_end_of_its_schedule_is_not_frozen():
    ended = times(1e-4)
    assert examined(doctor(), range(9000, 9900), lambda step, values: ended(step, values) | {"learning_rate": 1e-8}) == []


def test_the_speaker_table_may_move_little_for_most_of_its_rows_never_learn():
    values = {f"update/{one}": 2e-7 for one in ("g/emb_g",)}
    assert examined(doctor(), range(1, 60), lambda step, _: values) == []
    frozen = examined(doctor(), range(1, 60), lambda step, _: {"update/g/emb_g": 5e-10})
    assert [one.code for one in frozen] == ["frozen"]
    assert "speaker table" in frozen[0].message


def test_the_kl_is_judged_by_its_weight_and_not_at_all_when_that_is_zero():
    assert examined(doctor(kl_weight=0.01), range(1, 100), lambda step, values: values | {"loss/g/kl": 0.012}) == []
    assert examined(doctor(kl_weight=0.0), range(1, 100), always(loss__g__kl=0.0)) == []
    found = examined(doctor(kl_weight=100.0), range(1, 100), always(loss__g__kl=1.0))
    assert [one.code for one in found] == ["kl_near_zero"]


def test_missing_tags_and_measurements_that_are_no_numbers_are_no_trouble():
    nothing = doctor()
    assert examined(nothing, range(1, 300), lambda step, values: {}) == []
    assert examined(nothing, range(300, 600), lambda step, values: {"loss/g/mel": 1.0}) == []
    holes = {"grad/norm_g": float("inf"), "grad/norm_d": float("nan"), "update/g/dec": float("nan"), "time/data_fraction": float("nan")}
    assert examined(nothing, range(600, 900), lambda step, values: holes) == []


def test_it_never_speaks_of_overtraining_but_says_why():
    rising = examined(doctor(), range(1, 2000), lambda step, values: values | {"loss/g/total": 30 + step, "loss/g/fm": 8 + step})
    assert rising == []
    assert "not the best epoch" in watch.WHY_NO_OVERTRAINING
    assert "Listen" in watch.WHY_NO_OVERTRAINING


def test_it_needs_no_torch():
    program = "import sys, rvc.train.fitting.watch; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=False).returncode == 0
