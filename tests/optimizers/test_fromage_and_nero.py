"""The two that were written from their papers, against examples computed by hand."""

import math

import pytest
import torch
from torch import nn

from rvc.optimizers.fromage import Fromage
from rvc.optimizers.nero import Nero


def weight(*rows: list[float]) -> nn.Parameter:
    return nn.Parameter(torch.tensor(rows))


def test_fromage_moves_a_tensor_by_a_share_of_its_own_size():
    """‖W‖ = 5, ‖g‖ = 10: W − 0.1·(5/10)·g = (3 − 0.3, 4 − 0.4), over √1.01."""
    one = weight([3.0, 4.0])
    one.grad = torch.tensor([[6.0, 8.0]])
    Fromage([one], lr=0.1).step()
    assert one.tolist()[0] == pytest.approx([2.7 / math.sqrt(1.01), 3.6 / math.sqrt(1.01)])


def test_fromage_leaves_the_norm_alone_when_the_gradient_is_at_right_angles():
    one = weight([3.0, 4.0])
    one.grad = torch.tensor([[-4.0, 3.0]])
    Fromage([one], lr=0.1).step()
    assert float(one.norm()) == pytest.approx(5.0)
    assert one.tolist()[0] == pytest.approx([3.4 / math.sqrt(1.01), 3.7 / math.sqrt(1.01)])


@pytest.mark.parametrize(("start", "gradient", "end"), [([0.0, 0.0], [1.0, -2.0], [-0.1, 0.2]), ([3.0, 4.0], [0.0, 0.0], [3.0, 4.0]),
                                                        ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0])])
def test_fromage_takes_a_plain_step_from_zeros_and_none_without_a_gradient(start, gradient, end):
    one = weight(start)
    one.grad = torch.tensor([gradient])
    Fromage([one], lr=0.1).step()
    assert one.tolist()[0] == pytest.approx(end)


def test_fromage_remembers_nothing():
    one = weight([3.0, 4.0])
    one.grad = torch.ones(1, 2)
    optimizer = Fromage([one], lr=0.1)
    optimizer.step()
    assert not optimizer.state


def test_nero_turns_each_neuron_by_its_own_gradient():
    """Rows (3, 4) and (0, 1): σ = (5 + 1)/2 = 3. First step: √(v/(1 − β)) = ‖g‖, so each row moves by 0.1·3 along its own gradient."""
    one = weight([3.0, 4.0], [0.0, 1.0])
    one.grad = torch.tensor([[0.0, 2.0], [30.0, 40.0]])
    Nero([one], lr=0.1, beta=0.5).step()
    assert one.flatten().tolist() == pytest.approx([3.0, 4.0 - 0.3, -0.3 * 0.6, 1.0 - 0.3 * 0.8])


def test_nero_remembers_the_size_of_gradients():
    """Second step with ‖g‖ from 2 to 4, β = 0.5: v = 0.5·(0.5·4) + 0.5·16 = 9, over 1 − 0.25 = 0.75 is 12, so it moves by σ·η·4/√12."""
    one = weight([3.0, 4.0])
    optimizer = Nero([one], lr=0.1, beta=0.5)
    for size in (2.0, 4.0):
        one.grad = torch.tensor([[0.0, size]])
        optimizer.step()
    assert one.tolist()[0] == pytest.approx([3.0, 4.0 - 0.5 - 0.5 * 4 / math.sqrt(12)])


def test_nero_moves_zeros_by_a_hundredth_and_each_number_of_a_bias_by_itself():
    one = nn.Parameter(torch.zeros(3))
    one.grad = torch.tensor([5.0, -0.1, 0.0])
    Nero([one], lr=0.1).step()
    assert one.tolist() == pytest.approx([-0.001, 0.001, 0.0], rel=1e-4)


def test_nero_with_the_papers_constraints_keeps_neurons_at_mean_zero_and_norm_one():
    one = weight([3.0, 4.0, 5.0], [0.0, 1.0, -4.0])
    one.grad = torch.tensor([[0.0, 2.0, 1.0], [3.0, 4.0, 5.0]])
    Nero([one], lr=0.1, constraints=True).step()
    assert one.mean(dim=1).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert one.norm(dim=1).tolist() == pytest.approx([1.0, 1.0])


def test_nero_without_them_does_not_touch_the_size_of_a_gain():
    """With them a gain of a weight norm, a row of one number, would become 0/0."""
    one = nn.Parameter(torch.full((2, 1, 1), 7.0))
    one.grad = torch.tensor([1.0, -1.0]).view(2, 1, 1)
    Nero([one], lr=0.01).step()
    assert one.flatten().tolist() == pytest.approx([7.0 - 0.07, 7.0 + 0.07])
