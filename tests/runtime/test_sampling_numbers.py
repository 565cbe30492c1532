"""Schedules, sampler tables and noise: the numbers, without any network."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srdiff.errors import OptionError
from srdiff.noise import BLOCK, philox_noise
from srdiff.samplers import ddpm, spaced_timesteps
from srdiff.schedule import Schedule, cosine_betas, linear_betas


def test_betas_are_those_of_the_public_code(golden):
    # float32 as recorded; mindediting derives its own from float32 products, 3e-6 off
    tolerance = 5e-8 if golden.family == "leiali" else 4e-6
    np.testing.assert_allclose(cosine_betas(), golden.arrays["betas"], rtol=0, atol=tolerance)


def test_linear_betas_end_in_the_clamp():
    betas = linear_betas(100)
    np.testing.assert_allclose(betas[:99], np.linspace(1e-4, 0.02, 100)[:99])
    assert betas[99] == 0.999


@pytest.mark.parametrize("betas", [(), (0.1, 1.0), (0.0,), (float("nan"),)])
def test_a_schedule_refuses_impossible_betas(betas):
    with pytest.raises(OptionError):
        Schedule("custom", betas)


@pytest.mark.parametrize("name", ["cosine", "linear"])
def test_ddpm_is_the_posterior_of_the_paper(name):
    """Every row against eqs. 4, 6, 7 of Ho et al. in scalar arithmetic."""
    betas = Schedule.named(name).betas
    plan = ddpm(Schedule.named(name))
    assert [step.t for step in plan] == list(range(99, -1, -1))
    for step in plan:
        acp = np.prod([1 - beta for beta in betas[: step.t + 1]])
        acp_prev = np.prod([1 - beta for beta in betas[: step.t]])
        beta = betas[step.t]
        expected = (
            1 / math.sqrt(acp),
            -math.sqrt((1 - acp) / acp),
            math.sqrt(acp_prev) * beta / (1 - acp),
            math.sqrt(1 - beta) * (1 - acp_prev) / (1 - acp),
            0.0,
            math.sqrt((1 - acp_prev) / (1 - acp) * beta),
        )
        np.testing.assert_allclose(step.coef, expected, rtol=1e-9, atol=1e-12)
    assert not plan.steps[-1].draws_noise
    assert all(step.draws_noise for step in plan.steps[:-1])


@given(steps=st.integers(1, 100))
def test_a_shorter_plan_keeps_the_marginals(steps):
    """From x_t ~ N(sqrt(acp) x_0, 1 - acp), one step must give the same at the next timestep."""
    schedule = Schedule.named("cosine")
    plan = ddpm(schedule, steps)
    acp = schedule.alpha_cumprod
    t = [step.t for step in plan]
    assert t[0] == 99
    assert len(set(t)) == steps
    for step, t_next in zip(plan, [*t[1:], None]):
        _, _, P, Q, _, S = step.coef
        acp_next = 1.0 if t_next is None else acp[t_next]
        assert P + Q * math.sqrt(acp[step.t]) == pytest.approx(math.sqrt(acp_next), abs=1e-9)
        assert Q**2 * (1 - acp[step.t]) + S**2 == pytest.approx(1 - acp_next, abs=1e-9)


@pytest.mark.parametrize("steps", [0, 101, -1])
def test_impossible_step_counts_are_refused(steps):
    with pytest.raises(OptionError, match="1 to 100"):
        spaced_timesteps(100, steps)


def test_a_plan_prints_as_a_table():
    text = str(ddpm(Schedule.named("cosine"), 3)).splitlines()
    assert len(text) == 4
    assert text[0].split() == ["t", "C", "D", "P", "Q", "R", "S"]


@given(
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, 100),
    window=st.tuples(st.integers(0, 150), st.integers(0, 150), st.integers(1, 90), st.integers(1, 90)),
)
def test_a_window_of_the_noise_is_the_noise_of_the_window(seed, stream, window):
    top, left, height, width = window
    whole = philox_noise(seed)(stream, 0, 0, top + height, left + width)
    part = philox_noise(seed)(stream, *window)
    assert part.dtype == np.float32
    assert np.array_equal(part, whole[:, top:, left:])


def test_noise_is_standard_normal_and_independent():
    source = philox_noise(5)
    fields = [source(stream, 0, 0, 4 * BLOCK, 4 * BLOCK) for stream in (0, 1)]
    fields += [philox_noise(6)(0, 0, 0, 4 * BLOCK, 4 * BLOCK), philox_noise(5, sample=1)(0, 0, 0, 4 * BLOCK, 4 * BLOCK)]
    values = np.stack([field.ravel() for field in fields])
    # 196,608 draws: five standard errors of mean, variance and correlation
    assert np.abs(values.mean(axis=1)).max() < 5 / math.sqrt(values.shape[1])
    assert np.abs(values.var(axis=1) - 1).max() < 5 * math.sqrt(2 / values.shape[1])
    correlation = np.corrcoef(values) - np.eye(len(values))
    assert np.abs(correlation).max() < 5 / math.sqrt(values.shape[1])
    blocks = fields[0][:, :BLOCK, :BLOCK].ravel(), fields[0][:, :BLOCK, BLOCK : 2 * BLOCK].ravel()
    assert abs(np.corrcoef(*blocks)[0, 1]) < 5 / math.sqrt(blocks[0].size)


def test_noise_is_the_same_on_every_machine():
    """These numbers are what seed 0 means; a change of them changes everybody's pictures."""
    np.testing.assert_array_equal(
        philox_noise(0)(100, 0, 0, 1, 2).ravel(),
        np.array([0.7796466, 1.5218297, -0.58822584, -0.23628645, -0.8832987, 0.42512605], np.float32),
    )


def test_neighbouring_large_seeds_differ():
    first, second = (philox_noise(seed)(0, 0, 0, 4, 4) for seed in (2**64 - 1, 2**64 - 2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_impossible_seeds_are_refused(seed):
    with pytest.raises(OptionError, match="seed"):
        philox_noise(seed)
