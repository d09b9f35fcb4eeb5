"""From the acoustic properties of tissue to the envelope of the echo: scatterers and point-spread function.

The echo is simulated as a complex (demodulated) signal: many random scatterers in each resolution cell give
circular Gaussian values, smooth interfaces give a coherent value. Convolved with the point-spread function,
its magnitude is the envelope, with the Rayleigh statistics of fully developed speckle inside tissue.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ultrasam.phantom.geometry import Array


@dataclass(frozen=True)
class Psf:
    """A Gaussian point-spread function whose width across the beam depends on depth.

    Attributes:
        axial: standard deviation along the beam, samples.
        near: standard deviation across the beam at the probe, beams.
        focus: the same at the focal depth.
        far: the same at the deepest sample.
        focal_depth: beam coordinate, 0..1.
    """

    axial: float
    near: float
    focus: float
    far: float
    focal_depth: float

    def scaled(self, factor: float) -> Psf:
        """The same function on a grid ``factor`` times as fine."""
        return Psf(
            axial=factor * self.axial,
            near=factor * self.near,
            focus=factor * self.focus,
            far=factor * self.far,
            focal_depth=self.focal_depth,
        )


def envelope(
    rng: np.random.Generator, echo: Array, mirror: Array, psf: Psf, *, looks: int, wraps: bool
) -> Array:
    """The envelope of the received echo.

    Args:
        rng: where the scatterers lie.
        echo: (D, L) float32, amplitude of the diffuse echo.
        mirror: (D, L) float32, amplitude of the coherent echo of interfaces.
        psf: in samples of this grid.
        looks: independent images averaged, as compounding scanners do; 1 is raw speckle.
        wraps: the last beam is the neighbor of the first.

    Returns:
        (D, L) float32, root mean square ``echo`` in uniform tissue.
    """
    power = np.zeros_like(echo)
    for _ in range(looks):
        scatter = rng.standard_normal((*echo.shape, 2), dtype=np.float32) * echo[..., None]
        power += received(scatter, mirror, psf, wraps=wraps)
    return np.sqrt(power / looks)


def received(scatter: Array, mirror: Array, psf: Psf, *, wraps: bool) -> Array:
    """The power of one look at scatterers.

    Args:
        scatter: (D, L, 2) float32, two quadratures of what comes back from each sample.
        mirror: (D, L) float32, see `envelope`.
        psf: the same.
        wraps: the same.

    Returns:
        (D, L) float32.
    """
    field = _convolve(scatter, psf, wraps)
    field[..., 0] += mirror
    power: Array = np.square(field).sum(-1)
    return power


def _convolve(field: Array, psf: Psf, wraps: bool) -> Array:
    """Convolves a complex field, (D, L, 2), with the function; unit variance in, unit power out."""
    pad = min(field.shape[1], int(4 * max(psf.near, psf.far)) + 1) if wraps else 0
    if wraps:
        field = np.concatenate([field[:, -pad:], field, field[:, :pad]], axis=1)
    depth = (np.arange(len(field), dtype=np.float32) + 0.5)[:, None, None] / len(field)
    before = np.clip(1 - depth / psf.focal_depth, 0, 1)
    after = np.clip((depth - psf.focal_depth) / (1 - psf.focal_depth), 0, 1)
    out = np.zeros_like(field)
    zones = ((psf.near, before), (psf.focus, 1 - before - after), (psf.far, after))
    for lateral, weight in zones:
        out += weight * _blur(field, lateral, psf.axial)
    return out[:, pad : out.shape[1] - pad]


def _blur(field: Array, lateral: float, axial: float) -> Array:
    """A Gaussian blur that keeps the power of white noise; halved, as two parts make up a complex value."""
    across, along = _kernel(lateral), _kernel(axial)
    return cv2.sepFilter2D(field, -1, across, along * np.float32(0.5**0.5), borderType=cv2.BORDER_REFLECT_101)


def _kernel(sigma: float) -> Array:
    """A Gaussian of unit energy, (K, 1) float32."""
    sigma = max(sigma, 0.05)
    kernel = cv2.getGaussianKernel(2 * int(3 * sigma + 0.5) + 1, sigma, cv2.CV_32F)
    return kernel / np.float32(np.sqrt(np.square(kernel).sum()))
