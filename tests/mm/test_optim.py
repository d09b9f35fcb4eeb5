"""Mixed precision on a processor, and the step's seed."""

import torch
from torch import nn

from ultrasam.mm.engine.hooks import StepSeedHook
from ultrasam.mm.engine.optim import Bfloat16OptimWrapper


class Runner:
    iter = 7


def test_bfloat16_runs_forward_passes_alone():
    model = nn.Linear(4, 4)
    wrapper = Bfloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        out = model(torch.ones(2, 4))
    assert out.dtype == torch.bfloat16 and model.weight.dtype == torch.float32
    wrapper.update_params(out.float().sum())
    assert torch.isfinite(model.weight).all()


def test_a_step_draws_the_same_whatever_came_before():
    hook, drawn = StepSeedHook(seed=3), []
    for waste in (1, 50):
        torch.rand(waste)
        hook.before_train_iter(Runner(), 0)
        drawn.append(torch.rand(5))
    assert torch.equal(*drawn)
    Runner.iter = 8
    hook.before_train_iter(Runner(), 0)
    assert not torch.equal(torch.rand(5), drawn[0])
