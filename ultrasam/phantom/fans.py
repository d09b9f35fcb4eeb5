"""Draws the field of view of each kind of probe."""

from __future__ import annotations

import numpy as np

from ultrasam.phantom.geometry import Linear, Sector


def linear(rng: np.random.Generator) -> Linear:
    """A rectangle that fills most of the image, often with black margins."""
    if rng.random() < 0.4:
        return Linear(0.0, 0.0, 1.0, 1.0)
    width, height = rng.uniform(0.7, 1.0), rng.uniform(0.75, 1.0)
    return Linear(rng.uniform(0, 1 - width), rng.uniform(0, 1 - height), width, height)


def convex(rng: np.random.Generator) -> Sector:
    """A curved array on the skin."""
    spread = rng.uniform(0.5, 0.75)
    near = rng.uniform(0.12, 0.35)
    top = rng.uniform(0.0, 0.06)
    # The fan ends at the lower margin of the image, or its corners near the sides, which may cut them.
    far = min(0.97 - top + near * np.cos(spread), rng.uniform(0.49, 0.62) / np.sin(spread))
    return Sector(0.5, top - near * np.cos(spread), near, far, spread, "convex")


def endocavity(rng: np.random.Generator) -> Sector:
    """A small curved array with a wide view, as used inside the body."""
    spread = rng.uniform(1.0, 1.3)
    near = rng.uniform(0.06, 0.1)
    far = min(0.9, rng.uniform(0.49, 0.75) / np.sin(spread))
    return Sector(0.5, rng.uniform(0.0, 0.12) - near * np.cos(spread), near, far, spread, "convex")


def sector(rng: np.random.Generator) -> Sector:
    """A phased array: all beams from one point."""
    spread = rng.uniform(0.55, 0.8)
    return Sector(0.5, rng.uniform(0.0, 0.04), 0.015, rng.uniform(0.85, 0.94), spread, "sector")


def radial(rng: np.random.Generator) -> Sector:
    """An endoscope in the middle that looks all around."""
    near = rng.uniform(0.05, 0.09)
    return Sector(rng.uniform(0.49, 0.51), rng.uniform(0.49, 0.51), near, 0.485, np.pi, "radial", wraps=True)
