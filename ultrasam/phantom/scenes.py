"""Scenes: for each organ the probe, the tissue, the objects and the artifacts that go together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ultrasam.phantom import fans, makers
from ultrasam.phantom.artifacts import Artifacts
from ultrasam.phantom.geometry import Fan
from ultrasam.phantom.lesion import Lesion
from ultrasam.phantom.placement import place
from ultrasam.phantom.tissue import Layer


@dataclass(frozen=True)
class Scene:
    """Everything about an image but its resolution, speckle and display.

    Attributes:
        fan: the field of view.
        layers: background, from the probe downwards.
        lesions: the objects, at least one.
        artifacts: see ``Artifacts``.
    """

    fan: Fan
    layers: tuple[Layer, ...]
    lesions: tuple[Lesion, ...]
    artifacts: Artifacts


def _count(rng: np.random.Generator, *chances: float) -> int:
    """A number of objects: 1 with the first chance, 2 with the second, and so on."""
    return 1 + int(rng.choice(len(chances), p=chances))


def _artifacts(rng: np.random.Generator, contact: float = 0.15) -> Artifacts:
    lifted = tuple(
        (
            rng.choice([rng.uniform(0, 0.12), rng.uniform(0.88, 1)]),
            rng.uniform(0.02, 0.08),
            rng.uniform(5, 18),
        )
        for _ in range(int(rng.random() < contact))
    )
    return Artifacts(
        slope=rng.uniform(-16, 2),
        ripple=rng.uniform(0.3, 2),
        noise=rng.uniform(-44, -32),
        noise_rise=rng.uniform(2, 10),
        contact=lifted,
        near_field=rng.uniform(0, 10),
        reverberation=rng.uniform(0, 0.08),
        side_lobes=rng.uniform(-24, -12),
        shading=rng.uniform(1, 4),
    )


def breast(rng: np.random.Generator) -> Scene:
    """Skin, fat, gland, the muscle of the chest."""
    fan = fans.linear(rng)
    gland, muscle = rng.uniform(0.12, 0.32), rng.uniform(0.65, 0.95)
    layers = (
        Layer(0.0, 5),
        Layer(rng.uniform(0.02, 0.05), rng.uniform(-9, -4), "fat", fascia=10, wave=0.005),
        Layer(gland, rng.uniform(-1, 5), rng.choice(["gland", "fat", "gland"]), fascia=4, wave=0.03),
        Layer(muscle, rng.uniform(-9, -4), "fibres", fascia=rng.uniform(8, 16)),
        Layer(muscle + rng.uniform(0.08, 0.15), rng.uniform(-22, -10), "plain", fascia=rng.uniform(10, 18)),
    )
    kinds = (makers.carcinoma, makers.carcinoma, makers.fibroadenoma, makers.fibroadenoma, makers.simple_cyst)
    lesions = place(rng, fan, kinds, _count(rng, 0.85, 0.15), extent=(0.13, 0.3), depth=(0.18, 0.65))
    return Scene(fan, layers, lesions, _artifacts(rng))


def thyroid(rng: np.random.Generator) -> Scene:
    """Strap muscles over the gland, with carotid and trachea left out."""
    fan = fans.linear(rng)
    gland = rng.uniform(0.15, 0.28)
    layers = (
        Layer(0.0, 4),
        Layer(0.03, rng.uniform(-6, -1), "fat", fascia=8, wave=0.005),
        Layer(gland - 0.1, rng.uniform(-12, -7), "fibres", fascia=rng.uniform(6, 14)),
        Layer(gland, rng.uniform(-1, 3), "plain", fascia=rng.uniform(6, 14), wave=0.03),
        Layer(rng.uniform(0.72, 0.9), rng.uniform(-12, -5), "fibres", fascia=rng.uniform(6, 16), wave=0.04),
    )
    kinds = (makers.thyroid_nodule, makers.thyroid_nodule, makers.thyroid_nodule, makers.simple_cyst)
    count = _count(rng, 0.75, 0.2, 0.05)
    lesions = place(rng, fan, kinds, count, extent=(0.12, 0.28), depth=(gland + 0.06, 0.72))
    return Scene(fan, layers, lesions, _artifacts(rng))


def neck(rng: np.random.Generator) -> Scene:
    """Vessels under muscle."""
    fan = fans.linear(rng)
    layers = (
        Layer(0.0, 3),
        Layer(0.04, rng.uniform(-12, -5), "fibres", fascia=8, wave=0.01, scale=rng.uniform(0.8, 2)),
        Layer(rng.uniform(0.25, 0.4), rng.uniform(-8, -1), "bowel", fascia=rng.uniform(8, 16), wave=0.04),
        Layer(rng.uniform(0.65, 0.85), rng.uniform(-14, -5), "fibres", fascia=rng.uniform(8, 16), wave=0.05),
    )
    lesions = place(
        rng, fan, (makers.vessel,), _count(rng, 0.6, 0.3, 0.1), extent=(0.1, 0.2), depth=(0.2, 0.7)
    )
    return Scene(fan, layers, lesions, _artifacts(rng))


def pelvis(rng: np.random.Generator) -> Scene:
    """Ovarian masses among bowel, through the belly or from inside."""
    fan = fans.endocavity(rng) if rng.random() < 0.6 else fans.convex(rng)
    layers = (
        Layer(0.0, 2),
        Layer(0.06, rng.uniform(-5, 0), "fibres", fascia=8, scale=2),
        Layer(rng.uniform(0.15, 0.3), rng.uniform(-4, 2), "bowel", fascia=6, wave=0.04),
        Layer(rng.uniform(0.6, 0.85), rng.uniform(-6, 2), "bowel", fascia=6, wave=0.06, scale=1.5),
    )
    kinds = (makers.simple_cyst, makers.simple_cyst, makers.debris_cyst, makers.mixed_mass)
    lesions = place(
        rng,
        fan,
        kinds,
        _count(rng, 0.8, 0.15, 0.05),
        extent=(0.13, 0.3),
        depth=(0.25, 0.75),
        lateral=(0.2, 0.8),
    )
    return Scene(fan, layers, lesions, _artifacts(rng))


def liver(rng: np.random.Generator) -> Scene:
    """Parenchyma with several lesions, dark or bright."""
    fan = fans.convex(rng)
    layers = (
        Layer(0.0, 3),
        Layer(0.05, rng.uniform(-7, -3), "fibres", fascia=8, scale=1.5),
        Layer(rng.uniform(0.12, 0.2), rng.uniform(-2, 2), "plain", fascia=10),
        Layer(rng.uniform(0.85, 0.95), rng.uniform(-10, 4), "plain", fascia=rng.uniform(12, 22), wave=0.05),
    )
    kinds = (makers.thyroid_nodule, makers.thyroid_nodule, makers.simple_cyst, makers.vessel)
    count = _count(rng, 0.35, 0.25, 0.2, 0.1, 0.1)
    extent = (0.08, 0.14 if count > 2 else 0.25)
    lesions = place(rng, fan, kinds, count, extent=extent, depth=(0.25, 0.8))
    return Scene(fan, layers, lesions, _artifacts(rng))


def heart(rng: np.random.Generator) -> Scene:
    """One to four chambers between muscle."""
    fan = fans.sector(rng)
    layers = (
        Layer(0.0, 2),
        Layer(0.1, rng.uniform(-8, -2), "gland", scale=1.5),
        Layer(rng.uniform(0.8, 0.95), rng.uniform(-2, 6), "plain", fascia=rng.uniform(8, 18), wave=0.06),
    )
    count = _count(rng, 0.4, 0.3, 0.15, 0.15)
    extent = (0.1, 0.13 if count > 2 else 0.22)
    lesions = place(rng, fan, (makers.chamber,), count, extent=extent, depth=(0.25, 0.8), lateral=(0.2, 0.8))
    return Scene(fan, layers, lesions, _artifacts(rng, contact=0.4))


def fetus(rng: np.random.Generator) -> Scene:
    """A head in the womb."""
    fan = fans.convex(rng)
    layers = (
        Layer(0.0, 2),
        Layer(0.05, rng.uniform(-4, 0), "fibres", fascia=8, scale=2),
        Layer(rng.uniform(0.12, 0.25), rng.uniform(-16, -4), "bowel", fascia=8, wave=0.05),
        Layer(rng.uniform(0.75, 0.9), rng.uniform(-6, 2), "bowel", fascia=8, wave=0.06),
    )
    lesions = place(
        rng, fan, (makers.fetal_head,), 1, extent=(0.15, 0.24), depth=(0.4, 0.62), lateral=(0.38, 0.62)
    )
    return Scene(fan, layers, lesions, _artifacts(rng))


def gut(rng: np.random.Generator) -> Scene:
    """The wall of the gut in rings around an endoscope, and what lies behind it."""
    fan = fans.radial(rng)
    wall = rng.uniform(0.05, 0.12)
    layers = (
        Layer(0.0, -25),
        Layer(wall, 4, wave=0.03),
        Layer(wall + 0.025, -12, wave=0.03),
        Layer(wall + 0.05, 5, wave=0.03),
        Layer(wall + 0.08, -13, wave=0.03),
        Layer(
            wall + 0.13, rng.uniform(-3, 2), rng.choice(["bowel", "gland"]), fascia=8, wave=0.05, scale=0.8
        ),
        Layer(rng.uniform(0.7, 0.9), rng.uniform(-10, -2), "bowel", wave=0.1),
    )
    kinds = (makers.gut_mass, makers.gut_mass, makers.simple_cyst, makers.vessel)
    lesions = place(
        rng, fan, kinds, _count(rng, 0.65, 0.25, 0.1), extent=(0.11, 0.19), depth=(0.35, 0.75), lateral=(0, 1)
    )
    return Scene(fan, layers, lesions, _artifacts(rng, contact=0.4))


_WEIGHTS: dict[str, tuple[Callable[[np.random.Generator], Scene], float]] = {
    "breast": (breast, 0.26),
    "thyroid": (thyroid, 0.19),
    "neck": (neck, 0.08),
    "pelvis": (pelvis, 0.2),
    "liver": (liver, 0.08),
    "heart": (heart, 0.08),
    "fetus": (fetus, 0.03),
    "gut": (gut, 0.08),
}

#: Every kind of scene.
ORGANS: tuple[str, ...] = tuple(_WEIGHTS)


def draw(rng: np.random.Generator, organ: str | None = None) -> tuple[str, Scene]:
    """A scene, of a random organ by the usual frequencies if none is named."""
    weights = [weight for _, weight in _WEIGHTS.values()]
    name = ORGANS[rng.choice(len(ORGANS), p=weights)] if organ is None else organ
    return name, _WEIGHTS[name][0](rng)
