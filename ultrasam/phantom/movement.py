"""How tissue moves under the probe: heartbeat, breath, the hand, and objects that leave the view.

A movement says for a time which tissue is seen where: it maps display coordinates to those of the scene, in
which nothing moves. Times are in seconds, lengths fractions of the image's side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ultrasam.phantom.geometry import Array
from ultrasam.phantom.scenes import Scene

#: What a cine mainly shows.
MOTIONS: tuple[str, ...] = ("beating", "breathing", "probe", "leaving")


@dataclass(frozen=True)
class Sway:
    """A smooth to and fro that never quite repeats: sines of slow and quicker waves, 0 at time 0.

    Attributes:
        amount: of each wave.
        rate: of each wave, periods a second.
        phase: of each wave, radians.
    """

    amount: NDArray[np.float64]
    rate: NDArray[np.float64]
    phase: NDArray[np.float64]

    def at(self, time: float) -> float:
        """Where it is."""
        turn = 2 * np.pi * self.rate * time + self.phase
        return float((self.amount * (np.sin(turn) - np.sin(self.phase))).sum())


@dataclass(frozen=True)
class Beat:
    """A chamber or vessel that contracts and fills again, with the tissue around it.

    Attributes:
        x: its center in the scene.
        y: the same, downwards.
        reach: distance at which the movement has fallen to a third.
        across: by how much of its width it contracts.
        along: by how much of its height.
        rate: beats a second.
        phase: where in the beat time 0 is, 0..1.
    """

    x: float
    y: float
    reach: float
    across: float
    along: float
    rate: float
    phase: float

    def contraction(self, time: float) -> float:
        """0 filled, 1 contracted: quick contraction, slower filling, a rest."""
        place = (time * self.rate + self.phase) % 1.0
        if place < 0.35:
            return float(np.sin(np.pi / 2 * place / 0.35) ** 2)
        return float(np.cos(np.pi / 2 * min((place - 0.35) / 0.45, 1.0)) ** 2)

    def seen(self, x: Array, y: Array, time: float) -> tuple[Array, Array]:
        """The tissue at display places (x, y)."""
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        near = np.exp(-(dx * dx + dy * dy) / np.float32(self.reach**2)) * np.float32(self.contraction(time))
        # Seen nearer to the center than it is at rest, it comes from farther out.
        wide, high = 1 / (1 - np.float32(self.across) * near), 1 / (1 - np.float32(self.along) * near)
        x, y = (part.astype(np.float32) for part in (self.x + dx * wide, self.y + dy * high))
        return x, y


@dataclass(frozen=True)
class Absence:
    """An object that moves out of the scan plane and comes back; its section is that of an ellipsoid.

    Attributes:
        lesion: which of the scene's objects.
        start: when it begins to leave.
        gone: how long its way to the border of the object takes.
        away: how long it can't be seen.
    """

    lesion: int
    start: float
    gone: float
    away: float

    def size(self, time: float) -> float:
        """Its section's radius against that in the middle, 0 where it can't be seen."""
        middle = self.start + self.gone + self.away / 2
        off = max(1 - max(abs(time - middle) - self.away / 2, 0.0) / self.gone, 0.0)
        return float(np.sqrt(1 - off * off)) if off < 1 else 0.0


@dataclass(frozen=True)
class Slide:
    """The probe moves aside until an object is out of view, and back.

    Attributes:
        right: how far its view goes to the right; negative to the left.
        start: when it begins.
        gone: how long its way takes.
        away: how long it stays.
    """

    right: float
    start: float
    gone: float
    away: float

    def at(self, time: float) -> float:
        """How far to the right it is."""
        middle = self.start + self.gone + self.away / 2
        off = min(max(1 - (abs(time - middle) - self.away / 2) / self.gone, 0.0), 1.0)
        return self.right * float(np.sin(np.pi / 2 * off) ** 2)


@dataclass(frozen=True)
class Movement:
    """All movement of a cine.

    Attributes:
        right: of the probe's view over the tissue.
        down: the same, breath included.
        turn: of the probe, radians.
        slice: of the scan plane through the tissue, in widths of its speckle: grains change with it.
        beats: at most one for each object.
        absences: objects that leave the plane.
        slide: of the probe to the side, if it has one.
    """

    right: Sway
    down: Sway
    turn: Sway
    slice: Sway
    beats: tuple[Beat, ...] = ()
    absences: tuple[Absence, ...] = ()
    slide: Slide | None = None

    def seen(self, x: Array, y: Array, time: float) -> tuple[Array, Array]:
        """The scene's coordinates of what is at display places (x, y), two float32 arrays of their shape."""
        turn = self.turn.at(time)
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        dx, dy = x - np.float32(0.5), y - np.float32(0.5)
        aside = self.slide.at(time) if self.slide is not None else 0.0
        x = cos * dx - sin * dy + np.float32(0.5 + self.right.at(time) + aside)
        y = sin * dx + cos * dy + np.float32(0.5 + self.down.at(time))
        for beat in self.beats:
            x, y = beat.seen(x, y, time)
        return x, y

    def sizes(self, count: int, time: float) -> list[float]:
        """The sections of the scene's ``count`` objects, 1 for one that does not leave."""
        sizes = [1.0] * count
        for absence in self.absences:
            sizes[absence.lesion] = absence.size(time)
        return sizes


def draw_movement(rng: np.random.Generator, scene: Scene, motion: str, seconds: float) -> Movement:
    """Draws the movement of a cine.

    Args:
        rng: the random numbers.
        scene: what is scanned.
        motion: one of ``MOTIONS``; the others are there too, but little.
        seconds: how long the cine is.
    """
    hand = rng.uniform(0.1, 0.2) if motion == "probe" else rng.uniform(0.004, 0.015)
    breath = rng.uniform(0.08, 0.16) if motion == "breathing" else rng.uniform(0, 0.01)
    slice_ = rng.uniform(0.5, 2.0) if motion in ("probe", "leaving") else rng.uniform(0.1, 0.6)
    right, down = _sway(rng, hand, (0.15, 0.6)), _sway(rng, 0.5 * hand, (0.15, 0.6))
    down = _joined(down, _sway(rng, breath, (0.2, 0.45)))
    beats = _beats(rng, scene, strong=motion == "beating")
    turn, through = _sway(rng, 0.5 * hand, (0.1, 0.4)), _sway(rng, slice_, (0.2, 1.0))
    if motion != "leaving":
        return Movement(right, down, turn, through, beats)
    which = int(rng.integers(len(scene.lesions)))
    start, gone, away = seconds * rng.uniform((0.1, 0.12, 0.12), (0.25, 0.2, 0.25))
    if rng.random() < 0.6:
        return Movement(right, down, turn, through, beats, (Absence(which, start, gone, away),))
    outline = scene.lesions[which].outline
    reach = 1.3 * outline.long
    far = outline.x + reach if outline.x < 0.5 else outline.x - reach - 1
    return Movement(right, down, turn, through, beats, slide=Slide(far, start, gone, away))


def _sway(rng: np.random.Generator, amount: float, rates: tuple[float, float]) -> Sway:
    shares = rng.uniform(0.4, 1.0, 3) * np.array([1.0, 0.5, 0.25])
    rate = rng.uniform(*rates) * np.array([1.0, 1.7, 2.9])
    return Sway(amount * shares / shares.sum(), rate, rng.uniform(0, 2 * np.pi, 3))


def _joined(first: Sway, second: Sway) -> Sway:
    pairs = ((first.amount, second.amount), (first.rate, second.rate), (first.phase, second.phase))
    return Sway(*(np.concatenate(pair) for pair in pairs))


def _beats(rng: np.random.Generator, scene: Scene, *, strong: bool) -> tuple[Beat, ...]:
    """One for each object, all of one heart."""
    rate, phase = rng.uniform(0.9, 1.6), rng.uniform()
    beats = []
    for lesion in scene.lesions:
        outline = lesion.outline
        across, along = rng.uniform(0.15, 0.4, 2) if strong else rng.uniform(0, 0.04, 2)
        reach = 1.3 * float(outline.long)
        beats.append(Beat(outline.x, outline.y, reach, across, along, rate, phase + rng.uniform(0, 0.1)))
    return tuple(beats)
