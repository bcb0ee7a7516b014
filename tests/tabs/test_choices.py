"""What is offered, and what the banner says about it."""

import gradio as gr
import pytest

from rvc import gpus
from rvc.settings import from_flat
from rvc.train.run import Resolved
from rvc.train.settings import TrainingSettings
from tabs import automatic
from tabs.choices import gpu_choices
from tabs.form import Form

H100 = gpus.Gpu(0, "NVIDIA H100", 81559)
RESOLVED = Resolved("builtin", "fcpe", "scratch")


def offered(monkeypatch, here) -> list[tuple[str, str]]:
    monkeypatch.setattr(gpus, "installed", lambda: here)
    return list(gpu_choices())


def test_every_gpu_is_offered_and_all_of_them_together(monkeypatch):
    two = offered(monkeypatch, (H100, gpus.Gpu(1, "NVIDIA A100", 40960)))
    assert two == [("One, automatic", ""), ("GPU 0 · NVIDIA H100, 80 GiB", "0"), ("GPU 1 · NVIDIA A100, 40 GiB", "1"),
                   ("All 2 GPUs", "0,1")]
    for _, value in two:
        from_flat(TrainingSettings, {"gpus": value})


@pytest.mark.parametrize(("here", "values"), [(None, [""]), ((), [""]), ((H100,), ["", "0"])])
def test_only_what_is_there_is_offered(monkeypatch, here, values):
    assert [value for _, value in offered(monkeypatch, here)] == values


def test_a_list_that_is_not_offered_can_be_typed():
    with gr.Blocks():
        form = Form(TrainingSettings, "x", {"gpus": gpu_choices()})
        form.place("gpus")
    field = form.components["gpus"]
    assert [field.preprocess(one) for one in ("", "cpu,cpu", "0,1")] == ["", "cpu,cpu", "0,1"]


def test_the_banner_says_how_several_devices_share_the_batch():
    said = automatic.sentences(from_flat(TrainingSettings, {"gpus": "cpu,cpu", "batch_size": 8}), RESOLVED)
    assert "Batch 8 = 2 x 4: cpu, cpu share it." in said
    assert not any("Batch" in one for one in automatic.sentences(TrainingSettings(), RESOLVED))
