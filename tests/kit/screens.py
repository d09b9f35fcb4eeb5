"""Made screens of ultrasound scanners: a sector of speckle, and burned-in text around it."""

from __future__ import annotations

import cv2
import numpy as np


def sector_mask(rng: np.random.Generator, height: int = 240, width: int = 320) -> np.ndarray:
    """A fan or a rectangle at a random place, (H, W) bool."""
    y, x = np.mgrid[:height, :width].astype(float)
    if rng.random() < 0.3:
        x1, y1 = rng.integers(30, 80), rng.integers(25, 50)
        return (x >= x1) & (x <= x1 + rng.integers(140, 200)) & (y >= y1) & (y <= y1 + rng.integers(130, 170))
    half = np.radians(rng.uniform(25, 45))
    inner, outer = rng.choice([0, 30, 50]), rng.uniform(150, 175)
    cx, top = width / 2 + rng.uniform(-20, 20), 30 - inner * np.cos(half)
    radius, angle = np.hypot(x - cx, y - top), np.arctan2(x - cx, y - top)
    return (np.abs(angle) <= half) & (radius >= inner) & (radius <= outer)


def speckle(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """Echoes within a sector, with some dark cysts, (H, W) uint8; 0 outside."""
    echoes = rng.rayleigh(45, mask.shape)
    for _ in range(3):
        at = rng.choice(np.argwhere(mask))
        disc = np.zeros(mask.shape, np.uint8)
        cv2.circle(disc, (int(at[1]), int(at[0])), int(rng.integers(6, 14)), 1, -1)
        echoes[disc > 0] *= 0.03
    return np.where(mask, np.clip(cv2.GaussianBlur(echoes, (0, 0), 0.8), 0, 255), 0).astype(np.uint8)


def with_text(rng: np.random.Generator, image: np.ndarray, mask: np.ndarray, count: int = 4) -> np.ndarray:
    """The image with so many texts at random places outside the mask, three pixels from it or more."""
    around = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7))) > 0
    placed, tries = 0, 0
    while placed < count and tries < 2000:
        tries += 1
        text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXYZ0123456789^"), rng.integers(2, 9)))
        ink = np.zeros(image.shape, np.uint8)
        at = int(rng.integers(2, image.shape[1] - 20)), int(rng.integers(12, image.shape[0] - 2))
        cv2.putText(ink, text, at, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.3, 0.5), 255, 1)
        if ink.any() and not (ink[around] > 0).any():
            image = np.maximum(image, (ink > 0).astype(np.uint8) * np.uint8(rng.integers(120, 255)))
            placed += 1
    assert placed
    return image
