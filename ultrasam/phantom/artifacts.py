"""What the way to the echo and back does to it: shadows, enhancement, gain, noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ultrasam.phantom.geometry import Array, BeamGrid
from ultrasam.phantom.texture import mottle


@dataclass(frozen=True)
class Artifacts:
    """Imperfections of one scan; levels in dB.

    Attributes:
        slope: error of the time-gain compensation from the probe to the deepest sample.
        ripple: error of its sliders.
        noise: level of the electronic noise at the probe.
        noise_rise: how much louder the compensation makes it at the deepest sample.
        contact: (lateral, width, loss) of places where the probe lifts off.
        near_field: level of the bright band in front of the probe.
        reverberation: share of the near field's echoes that come back from twice the depth.
    side_lobes: level of the echoes from beside the beam and from in front of and behind the slice.
    shading: standard deviation of slow changes of brightness, over tissue and objects alike.
    """

    slope: float = 0.0
    ripple: float = 1.0
    noise: float = -40.0
    noise_rise: float = 8.0
    contact: tuple[tuple[float, float, float], ...] = ()
    near_field: float = 8.0
    reverberation: float = 0.02
    side_lobes: float = -22.0
    shading: float = 2.0


def path_loss(loss: Array, grid: BeamGrid, artifacts: Artifacts) -> Array:
    """What tissue above each sample takes from its echo.

    Args:
        loss: (D, L) float32, attenuation beyond the compensated one, dB per image side.
        grid: of the samples.
        artifacts: bad contact counts too.

    Returns:
        (D, L) float32 dB; negative is enhancement, which saturates at -9 dB.
    """
    total = np.cumsum(loss, axis=0, dtype=np.float32) * np.float32(grid.step)
    for lateral, width, depth in artifacts.contact:
        total += np.float32(depth) * np.exp(-np.square((grid.lateral - lateral) / width))
    return np.clip(total, -9, 45)


def gain(grid: BeamGrid, artifacts: Artifacts, rng: np.random.Generator) -> Array:
    """The error of the time-gain compensation by depth, and shading, (D, L) float32 dB."""
    sliders = mottle(rng, np.zeros_like(grid.depth), grid.depth, 0.15)
    shading = np.float32(artifacts.shading) * mottle(rng, grid.x, grid.y, 0.2, 0.25)
    return artifacts.slope * grid.depth + artifacts.ripple * sliders + shading


def add_side_lobes(amplitude: Array, grid: BeamGrid, artifacts: Artifacts) -> Array:
    """Adds the echoes of the surroundings of each sample: haze that fills dark objects from their borders."""
    # Slow changes in a quarter of the samples and beams are exact enough.
    reduced = cv2.resize(amplitude, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    across, along = 0.02 * reduced.shape[1], 0.008 / grid.step / 4
    around = cv2.GaussianBlur(reduced, (0, 0), sigmaX=across, sigmaY=max(along, 0.3))
    around = cv2.resize(around, amplitude.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return amplitude + np.float32(10 ** (artifacts.side_lobes / 20)) * around


def add_near_field(mirror: Array, grid: BeamGrid, artifacts: Artifacts) -> Array:
    """The coherent echoes with the probe's own ringing added, (D, L) float32."""
    ringing = np.exp(-grid.depth / np.float32(0.012)) * np.float32(10 ** (artifacts.near_field / 20))
    return mirror + ringing * (1 + np.cos(grid.depth * np.float32(2 * np.pi / 0.014)))


def reverberate(amplitude: Array, artifacts: Artifacts) -> Array:
    """Adds echoes of the near field that went twice: haze in the near part of anechoic objects."""
    samples = len(amplitude) // 5
    twice = cv2.resize(amplitude[:samples], (amplitude.shape[1], 2 * samples), interpolation=cv2.INTER_LINEAR)
    fade = np.linspace(1, 0, 2 * samples, dtype=np.float32)[:, None]
    out = amplitude.copy()
    out[: 2 * samples] += np.float32(artifacts.reverberation) * fade * twice
    return out


def noise_level(grid: BeamGrid, artifacts: Artifacts) -> Array:
    """The amplitude of the electronic noise, (D, 1) float32."""
    return np.float32(10) ** ((artifacts.noise + artifacts.noise_rise * grid.depth) / np.float32(20))
