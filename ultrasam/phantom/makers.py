"""Kinds of objects: each function draws one at a place, with a size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ultrasam.phantom.lesion import Lesion, Pocket
from ultrasam.phantom.outline import Outline, random_outline

#: (rng, x, y, extent) -> an object; coordinates and mean radius are fractions of the image's side.
Maker = Callable[[np.random.Generator, float, float, float], Lesion]


def _points_inside(
    rng: np.random.Generator, outline: Outline, count: int, reach: float
) -> list[tuple[float, float]]:
    """Points between the center and ``reach`` of the way to the border."""
    border_x, border_y = outline.border(64)
    slots, share = rng.integers(0, 64, count), reach * np.sqrt(rng.random(count))
    x = outline.x + share * (border_x[slots] - outline.x)
    y = outline.y + share * (border_y[slots] - outline.y)
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def _pockets(
    rng: np.random.Generator,
    outline: Outline,
    count: tuple[int, int],
    echo: float,
    size: tuple[float, float],
    reach: float,
) -> tuple[Pocket, ...]:
    mean = float(np.sqrt(outline.long * outline.short))
    places = _points_inside(rng, outline, int(rng.integers(*count)), reach)
    return tuple(
        Pocket(
            random_outline(rng, "smooth", x, y, mean * rng.uniform(*size), tilt=1.5),
            echo + rng.normal(0, 1.5),
        )
        for x, y in places
    )


def _flecks(rng: np.random.Generator, outline: Outline, most: int) -> tuple[tuple[float, float, float], ...]:
    count = int(rng.integers(1, most + 1))
    return tuple(
        (x, y, float(rng.uniform(0.003, 0.008))) for x, y in _points_inside(rng, outline, count, 0.75)
    )


def simple_cyst(rng: np.random.Generator, x: float, y: float, extent: float) -> Lesion:
    """Anechoic, sharp, bright behind; sometimes with septa or a nodule in its wall."""
    kind = rng.choice(["smooth", "lobulated", "bent", "angular"], p=[0.3, 0.4, 0.2, 0.1])
    outline = random_outline(rng, kind, x, y, extent, stretch=(1.05, 1.9))
    septated, nodular = rng.random() < 0.25, rng.random() < 0.15
    return Lesion(
        "cyst",
        outline,
        echo=rng.uniform(-38, -24),
        fading=rng.uniform(0, 2),
        leak=rng.uniform(0, 0.35),
        wall=rng.uniform(4, 12),
        capsule=rng.uniform(0, 5),
        loss=-rng.uniform(6, 28),
        edge_shadow=rng.choice([0, rng.uniform(40, 120)]),
        septa=rng.uniform(-4, 4) if septated else None,
        pockets=_pockets(rng, outline, (1, 4), -5, (0.2, 0.45), 0.9) if nodular else (),
    )


def debris_cyst(rng: np.random.Generator, x: float, y: float, extent: float) -> Lesion:
    """Filled with homogeneous low-level echoes, as an endometrioma."""
    outline = random_outline(rng, rng.choice(["smooth", "lobulated", "bent"]), x, y, extent)
    return Lesion(
        "cyst",
        outline,
        echo=rng.uniform(-17, -10),
        mottle=rng.uniform(0.8, 2.2),
        fading=rng.uniform(0.3, 2),
        leak=rng.uniform(0, 0.35),
        wall=rng.uniform(2, 9),
        capsule=rng.uniform(2, 6),
        loss=-rng.uniform(0, 12),
        flecks=_flecks(rng, outline, 2) if rng.random() < 0.2 else (),
    )


def mixed_mass(rng: np.random.Generator, x: float, y: float, extent: float) -> Lesion:
    """Solid and cystic parts, some of them bright, as a teratoma or a cystadenoma."""
    outline = random_outline(rng, rng.choice(["smooth", "lobulated", "angular", "bent"]), x, y, extent)
    cystic = rng.random() < 0.5
    base = rng.uniform(-20, -12) if cystic else rng.uniform(-9, -5)
    other = rng.uniform(-4, 7) if cystic else rng.uniform(-24, -16)
    return Lesion(
        "tumour",
        outline,
        echo=base,
        mottle=rng.uniform(1.5, 3.5),
        fading=rng.uniform(0.3, 2),
        leak=rng.uniform(0, 0.35),
        wall=rng.uniform(2, 8),
        capsule=rng.choice([-1, 1]) * rng.uniform(3, 7) if not cystic else rng.uniform(3, 7),
        loss=rng.uniform(-8, 20),
        pockets=_pockets(rng, outline, (1, 5), other, (0.15, 0.35), 0.65),
        flecks=_flecks(rng, outline, 3) if rng.random() < 0.3 else (),
    )


def fibroadenoma(rng: np.random.Generator, x: float, y: float, extent: float) -> Lesion:
    """Hypoechoic, oval to lobulated, wider than tall, with a thin capsule."""
    outline = random_outline(
        rng, rng.choice(["smooth", "lobulated", "bent"]), x, y, extent, stretch=(1.3, 2.4), tilt=0.3
    )
    return Lesion(
        "nodule",
        outline,
        echo=rng.uniform(-17, -10),
        mottle=rng.uniform(1.5, 3.5),
        fading=rng.uniform(0.5, 2.5),
        leak=rng.uniform(0, 0.35),
        wall=rng.uniform(1, 8),
        capsule=rng.uniform(1, 6),
        loss=rng.uniform(-12, 10),
        edge_shadow=rng.choice([0, rng.uniform(20, 80)]),
    )


def carcinoma(rng: np.random.Generator, x: float, y: float, extent: float) -> Lesion:
    """Strongly hypoechoic, spiculated or angular, hazy halo, mostly with a shadow behind."""
    kind = rng.choice(["spiculated", "angular", "lobulated"], p=[0.5, 0.25, 0.25])
    outline = random_outline(rng, kind, x, y, extent, stretch=(1.0, 1.7), tilt=1.0)
    return Lesion(
        "tumour",
        outline,
        echo=rng.uniform(-22, -13),
        mottle=rng.uniform(2, 4),
        blur=0.008,
        fading=rng.uniform(0.5, 2.5),
        leak=rng.uniform(0, 0.35),
        capsule=rng.uniform(0, 7),
        capsule_width=rng.uniform(0.012, 0.03),
        loss=rng.choice([rng.uniform(-8, 8), rng.uniform(10, 70)]),
        flecks=_flecks(rng, outline, 6) if rng.random() < 0.35 else (),
    )


def thyroid_nodule(rng: np.random.Generator, x: float, y: float, extent: float) -> Lesion:
    """Hypo-, iso- or hyperechoic; the last two are told by their dark halo; often with cystic spaces."""
    outline = random_outline(
        rng, rng.choice(["smooth", "lobulated", "angular", "bent"], p=[0.35, 0.3, 0.2, 0.15]), x, y, extent
    )
    look = rng.choice(["hypo", "iso", "hyper"], p=[0.7, 0.12, 0.18])
    echo = {"hypo": rng.uniform(-16, -8), "iso": rng.uniform(-3, 1), "hyper": rng.uniform(4, 8)}[str(look)]
    halo = rng.uniform(0, 4) if look == "hypo" else -rng.uniform(9, 15)
    spongy = rng.random() < 0.2
    return Lesion(
        "nodule",
        outline,
        echo=echo,
        mottle=rng.uniform(1.5, 3.5),
        fading=rng.uniform(0.3, 2),
        leak=rng.uniform(0, 0.35),
        wall=rng.uniform(0, 6) if rng.random() < 0.5 else None,
        capsule=halo,
        capsule_width=rng.uniform(0.012, 0.02),
        loss=rng.uniform(-10, 12),
        pockets=_pockets(rng, outline, (2, 9), -22, (0.08, 0.3), 0.7) if spongy else (),
        flecks=_flecks(rng, outline, 5) if rng.random() < 0.3 else (),
    )


def vessel(rng: np.random.Generator, x: float, y: float, extent: float) -> Lesion:
    """An artery or vein cut across or at an angle: anechoic, two bright walls, sometimes a plaque."""
    kind = rng.choice(["smooth", "bent", "lobulated"], p=[0.5, 0.3, 0.2])
    outline = random_outline(rng, kind, x, y, extent, stretch=(1.0, 2.8), tilt=0.5, roughness=0.8)
    plaque = rng.random() < 0.2
    return Lesion(
        "vessel",
        outline,
        echo=rng.uniform(-34, -22),
        mottle=rng.uniform(1, 4),
        fading=rng.uniform(0, 1.5),
        leak=rng.uniform(0, 0.35),
        wall=rng.uniform(8, 16),
        capsule=rng.uniform(2, 8),
        capsule_width=0.012,
        loss=-rng.uniform(4, 25),
        pockets=_pockets(rng, outline, (1, 3), rng.uniform(-8, 0), (0.3, 0.5), 1.0) if plaque else (),
    )


def chamber(rng: np.random.Generator, x: float, y: float, extent: float) -> Lesion:
    """A chamber of the heart: blood with haze, a wall that drops out where it runs along the beam."""
    kind = rng.choice(["smooth", "angular", "bent", "lobulated"])
    outline = random_outline(rng, kind, x, y, extent, stretch=(1.1, 2.1), tilt=1.5)
    return Lesion(
        "chamber",
        outline,
        echo=rng.uniform(-30, -18),
        mottle=rng.uniform(2, 4),
        blur=0.01,
        fading=rng.uniform(0.5, 2.5),
        leak=rng.uniform(0, 0.35),
        wall=rng.uniform(4, 12),
        capsule=rng.uniform(3, 9),
        capsule_width=rng.uniform(0.015, 0.03),
        loss=-rng.uniform(0, 10),
        pockets=_pockets(rng, outline, (0, 2), rng.uniform(-10, -4), (0.12, 0.25), 0.9),
    )


def fetal_head(rng: np.random.Generator, x: float, y: float, extent: float) -> Lesion:
    """A skull: nearly an ellipse, bright and thick above and below, missing at the sides."""
    outline = random_outline(rng, "smooth", x, y, extent, stretch=(1.15, 1.4), roughness=0.35)
    return Lesion(
        "head",
        outline,
        echo=rng.uniform(-14, -7),
        mottle=4,
        wall=rng.uniform(20, 26),
        wall_width=rng.uniform(0.008, 0.014),
        capsule=rng.uniform(3, 9),
        loss=rng.uniform(0, 8),
        septa=rng.uniform(0, 6),
        pockets=_pockets(rng, outline, (2, 5), -20, (0.12, 0.25), 0.6),
    )


def gut_mass(rng: np.random.Generator, x: float, y: float, extent: float) -> Lesion:
    """What an endoscope sees behind the wall: a hypoechoic mass or lymph node."""
    outline = random_outline(
        rng, rng.choice(["smooth", "lobulated", "angular", "spiculated"]), x, y, extent, tilt=1.5
    )
    return Lesion(
        "tumour",
        outline,
        echo=rng.uniform(-18, -10),
        mottle=rng.uniform(1.5, 3.5),
        fading=rng.uniform(0.5, 2.5),
        leak=rng.uniform(0, 0.35),
        wall=rng.uniform(0, 6) if rng.random() < 0.5 else None,
        capsule=rng.uniform(0, 6),
        loss=rng.uniform(-6, 25),
    )
