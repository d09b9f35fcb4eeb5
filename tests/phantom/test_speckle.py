import numpy as np
import pytest

from ultrasam.phantom.speckle import Psf, envelope

PSF = Psf(axial=0.8, near=2.0, focus=1.0, far=3.0, focal_depth=0.5)


def uniform(looks: int = 1, wraps: bool = False, level: float = 1.0) -> np.ndarray:
    echo = np.full((256, 300), level, np.float32)
    rng = np.random.default_rng(0)
    return envelope(rng, echo, np.zeros_like(echo), PSF, looks=looks, wraps=wraps)


def test_uniform_tissue_has_rayleigh_statistics():
    signal = uniform()[118:138]
    assert np.sqrt(np.square(signal).mean()) == pytest.approx(1, rel=0.05)
    assert signal.mean() / signal.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.06)


def test_the_envelope_scales_with_the_echo():
    np.testing.assert_allclose(uniform(level=0.01), 0.01 * uniform(), rtol=1e-3)


def test_compounding_smooths():
    single, triple = uniform(1), uniform(3)
    ratio = (triple.std() / triple.mean()) / (single.std() / single.mean())
    assert ratio == pytest.approx(1 / np.sqrt(3), rel=0.12)


def correlation_length(rows: np.ndarray) -> float:
    """Lag in beams at which the correlation along a row falls to a half."""
    rows = rows - rows.mean()
    lags = np.array([(rows[:, : rows.shape[1] - k] * rows[:, k:]).mean() for k in range(12)]) / rows.var()
    return float(np.interp(-0.5, -lags, np.arange(12)))


def test_resolution_is_best_at_the_focus():
    signal = uniform()
    near, focus, far = (correlation_length(signal[a : a + 40]) for a in (0, 108, 216))
    assert focus < near < far


def test_a_full_circle_has_no_seam():
    signal = uniform(wraps=True)[200:]
    steps = np.abs(np.diff(signal, axis=1, append=signal[:, :1])).mean(axis=0)
    assert steps[-1] < 2 * np.median(steps)
    open_steps = uniform(wraps=False)[200:]
    assert np.abs(open_steps[:, -1] - open_steps[:, 0]).mean() > 3 * np.median(steps)
