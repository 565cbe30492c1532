"""Schedules, sampler tables and noise: the numbers, without any network."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srdiff.errors import OptionError
from srdiff.noise import BLOCK, philox_noise
from srdiff.samplers import SAMPLERS, SPACINGS, Plan, Sampler, Step, spaced_timesteps
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
    plan = Sampler().plan(Schedule.named(name))
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
    plan = Sampler(steps=steps).plan(schedule)
    acp = schedule.alpha_cumprod
    t = [step.t for step in plan]
    assert t[0] == 99
    assert len(set(t)) == steps
    for step, t_next in zip(plan, [*t[1:], None]):
        _, _, P, Q, _, S = step.coef
        acp_next = 1.0 if t_next is None else acp[t_next]
        assert P + Q * math.sqrt(acp[step.t]) == pytest.approx(math.sqrt(acp_next), abs=1e-9)
        assert Q**2 * (1 - acp[step.t]) + S**2 == pytest.approx(1 - acp_next, abs=1e-9)


def walk(plan, eps_of, x, noises, limit=math.inf):
    """x_0 by the table, in float64, as the step graph computes it."""
    x0 = np.zeros_like(x)
    for step, noise in zip(plan, noises):
        C, D, P, Q, R, S = step.coef
        previous, x0 = x0, np.clip(C * x + D * eps_of(x, step.t), -limit, limit)
        x = P * x0 + Q * x + R * previous + S * noise
    return x


def eps_of(x, t):
    """Some network, smooth in x and t."""
    return np.tanh(0.7 * x) + 0.1 * np.cos(3 * x + 0.05 * t)


@pytest.mark.parametrize("steps", [1, 2, 5, 20, 100])
@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_ddim_is_equation_12_of_the_paper(eta, steps):
    """x_{t-1} from x_t and eps as the paper writes it, without the detour over P and Q."""
    schedule = Schedule.named("cosine")
    acp, t = schedule.alpha_cumprod, spaced_timesteps(100, steps)
    x, *noises = np.random.default_rng(1).standard_normal((steps + 1, 50))
    expected = x
    for now, after, noise in zip(t, [*t[1:], None], noises):
        kept = 1.0 if after is None else acp[after]
        eps = eps_of(expected, now)
        sigma = eta * math.sqrt((1 - kept) / (1 - acp[now])) * math.sqrt(1 - acp[now] / kept)
        x0 = (expected - math.sqrt(1 - acp[now]) * eps) / math.sqrt(acp[now])
        expected = math.sqrt(kept) * x0 + math.sqrt(max(1 - kept - sigma**2, 0)) * eps + sigma * noise
    found = walk(Sampler("ddim", steps, eta).plan(schedule), eps_of, x, noises)
    # C is 2029 at t = 99, so float64's 1e-16 has become some 1e-12 of values up to 2000
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 50])
@pytest.mark.parametrize("eta", [0, 1])
def test_dpm_solver_is_algorithm_2_of_the_paper(eta, steps):
    """The paper's recursion in lambda, for the ODE and the SDE."""
    schedule = Schedule.named("cosine")
    acp, t = schedule.alpha_cumprod, spaced_timesteps(100, steps)
    alpha = [math.sqrt(acp[now]) for now in t] + [1.0]
    sigma = [math.sqrt(1 - acp[now]) for now in t] + [0.0]
    half_log_snr = [math.log(a / s) if s else math.inf for a, s in zip(alpha, sigma)]
    x, *noises = np.random.default_rng(2).standard_normal((steps + 1, 50))
    expected, before = x, None
    for i, noise in enumerate(noises):
        x0 = np.clip((expected - sigma[i] * eps_of(expected, t[i])) / alpha[i], -1, 1)
        h = half_log_snr[i + 1] - half_log_snr[i]
        estimate = x0
        if before is not None and i + 1 < steps:
            r = (half_log_snr[i] - half_log_snr[i - 1]) / h
            estimate = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * before
        before = x0
        if eta == 0:
            expected = sigma[i + 1] / sigma[i] * expected - alpha[i + 1] * math.expm1(-h) * estimate
        else:
            expected = (
                sigma[i + 1] / sigma[i] * math.exp(-h) * expected
                - alpha[i + 1] * math.expm1(-2 * h) * estimate
                + sigma[i + 1] * math.sqrt(-math.expm1(-2 * h)) * noise
            )
    found = walk(Sampler("dpm++", steps, eta).plan(schedule), eps_of, x, noises, limit=1)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ["ddim", "dpm++"])
@pytest.mark.parametrize("steps", [4, 20])
def test_samplers_agree_with_those_of_diffusers(name, steps):
    """On the same betas and timesteps; diffusers computes in float32."""
    diffusers = pytest.importorskip("diffusers")
    torch = pytest.importorskip("torch")
    schedule = Schedule.named("cosine")
    common = {"num_train_timesteps": 100, "trained_betas": list(schedule.betas), "prediction_type": "epsilon"}
    if name == "ddim":
        theirs = diffusers.DDIMScheduler(**common, clip_sample=True, set_alpha_to_one=True)
        theirs.set_timesteps(steps)
    else:
        theirs = diffusers.DPMSolverMultistepScheduler(**common, final_sigmas_type="zero", thresholding=False)
        theirs.set_timesteps(timesteps=spaced_timesteps(100, steps).tolist())
    t = [int(number) for number in theirs.timesteps]
    limit = 1 if name == "ddim" else math.inf
    table, eta = SAMPLERS[name]
    rows = table(schedule.alpha_cumprod[t], eta).tolist()
    plan = Plan(tuple(Step(now, tuple(row)) for now, row in zip(t, rows)))
    x = np.random.default_rng(3).standard_normal(64)
    expected = torch.from_numpy(x)
    for now in theirs.timesteps:
        eps = torch.from_numpy(eps_of(expected.numpy(), int(now)))
        extra = {"use_clipped_model_output": True} if name == "ddim" else {}
        expected = theirs.step(eps, now, expected, **extra).prev_sample
    found = walk(plan, eps_of, x, np.zeros((steps, 64)), limit)
    np.testing.assert_allclose(found, expected.numpy(), rtol=2e-4, atol=2e-4)


@given(
    name=st.sampled_from(["ddim", "dpm++"]),
    eta=st.floats(0, 1),
    steps=st.integers(1, 100),
    spacing=st.sampled_from(sorted(SPACINGS)),
    schedule=st.sampled_from(["cosine", "linear"]),
)
def test_where_x0_is_known_every_step_has_the_schedules_mean_and_variance(name, eta, steps, spacing, schedule):
    """q(x_t | x_0) of Ho et al., eq. 4, at every timestep, whatever share of the noise is fresh."""
    schedule = Schedule.named(schedule)
    plan = Sampler(name, steps, eta, spacing).plan(schedule)
    kept = [*(schedule.alpha_cumprod[step.t] for step in plan), 1.0]
    for step, now, after in zip(plan, kept, kept[1:]):
        _, _, P, Q, R, S = step.coef
        assert P + R + Q * math.sqrt(now) == pytest.approx(math.sqrt(after), abs=1e-9)
        assert Q**2 * (1 - now) + S**2 == pytest.approx(1 - after, abs=1e-9)


@given(steps=st.integers(1, 100), spacing=st.sampled_from(sorted(SPACINGS)), timesteps=st.integers(1, 100))
def test_timesteps_fall_from_the_noisiest(steps, spacing, timesteps):
    steps = min(steps, timesteps)
    t = spaced_timesteps(timesteps, steps, spacing)
    assert len(t) == steps
    assert t[0] == timesteps - 1
    assert t[-1] >= 0
    assert (np.diff(t) < 0).all()


@pytest.mark.parametrize(
    "setting",
    [{"name": "euler"}, {"spacing": "odd"}, {"eta": 0.5}, {"name": "ddim", "eta": 1.5}, {"name": "ddim", "eta": -1}],
)
def test_impossible_samplers_are_refused(setting):
    with pytest.raises(OptionError, match=str(next(iter(setting.values())) if "eta" not in setting else "eta")):
        Sampler(**setting)


def test_ddpm_is_ddim_with_all_its_noise():
    schedule = Schedule.named("linear")
    assert Sampler("ddpm", 30).plan(schedule) == Sampler("ddim", 30, 1.0).plan(schedule)


@pytest.mark.parametrize("steps", [0, 101, -1])
def test_impossible_step_counts_are_refused(steps):
    with pytest.raises(OptionError, match="1 to 100"):
        spaced_timesteps(100, steps)


def test_a_plan_prints_as_a_table():
    text = str(Sampler(steps=3).plan(Schedule.named("cosine"))).splitlines()
    assert len(text) == 4
    assert text[0].split() == ["t", "C", "D", "P", "Q", "R", "S"]


@given(
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, 100),
    window=st.tuples(st.integers(0, 150), st.integers(0, 150), st.integers(1, 90), st.integers(1, 90)),
    threads=st.integers(1, 4),
)
def test_a_window_of_the_noise_is_the_noise_of_the_window(seed, stream, window, threads):
    top, left, height, width = window
    whole = philox_noise(seed)(stream, 0, 0, top + height, left + width)
    part = philox_noise(seed, threads=threads)(stream, *window)
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


def test_no_two_blocks_draw_the_same_numbers():
    """Shifted neither: counters that overlap give the values of a neighbour a few places on."""

    def block(row, column, stream=3, seed=7, sample=0):
        return philox_noise(seed, sample)(stream, row * BLOCK, column * BLOCK, BLOCK, BLOCK)

    first = block(0, 0)
    others = [block(1, 0), block(0, 1), block(1, 1), block(0, 0, stream=4), block(0, 0, seed=8), block(0, 0, sample=1)]
    for other in [*others, block(2, 1)]:
        # Of 12,288 float32 numbers a few are equal by chance.
        assert len(np.intersect1d(first, other)) < 500
    assert not np.array_equal(block(1, 2), block(2, 1))


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
