"""What is asked of a model, and the name of each question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ultrasam.data.degrade import KINDS
from ultrasam.errors import ConfigError

PROMPTS = ("box", "point", "clicks")


@dataclass(frozen=True)
class Baseline:
    """What answers a prompt without a network; see `ultrasam.evaluate.baselines`.

    Attributes:
        name: in conditions.
        title: in tables.
    """

    name: str
    title: str


#: The baseline of each prompt that is given once.
BASELINES = {
    "box": Baseline("ellipse", "ellipse in the box"),
    "point": Baseline("region", "region grown from the point"),
}
#: Inexact prompts and their steps, shares of the object's width and height.
BOX_NOISE = {"loose": (0.05, 0.1, 0.2), "shift": (0.05, 0.1, 0.2)}
POINT_NOISE = {"off-centre": (0.1, 0.2, 0.3)}
#: The name of SonoBase's inexact prompts, their seeds and the clicks after which it looks; see `sonobase`.
SONOBASE, SONOBASE_SEEDS, SONOBASE_CLICKS = "sonobase", (1, 2, 3), (0, 1, 3, 5, 7)
#: Steps of each kind of degradation.
STRENGTHS = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Condition:
    """One question that every object is asked.

    Attributes:
        prompt: ``box``, ``point``, ``click1`` ... ``click8``, or a baseline: ``ellipse``, ``region``;
            ``box+3`` for a box that was corrected with three clicks.
        disturbance: kind of inexact prompt or of degradation; empty for none.
        level: step of the disturbance.
    """

    prompt: str
    disturbance: str = ""
    level: float = 0.0

    @property
    def title(self) -> str:
        """Prompt and baseline, for tables and plots: ``box``, or ``box, ellipse``."""
        asked = [prompt for prompt, baseline in BASELINES.items() if baseline.name == self.prompt]
        return ", ".join([*asked, self.prompt])

    def __str__(self) -> str:
        return f"{self.prompt}@{self.disturbance}={self.level:g}" if self.disturbance else self.prompt

    @classmethod
    def parse(cls, text: str) -> Condition:
        """The inverse of ``str``."""
        prompt, _, rest = text.partition("@")
        disturbance, _, level = rest.partition("=")
        return cls(prompt, disturbance, float(level or 0))


@dataclass(frozen=True)
class Protocol:
    """All questions.

    Attributes:
        prompts: some of `PROMPTS`.
        clicks: in a session of corrections.
        baselines: also score the ellipse in the box and the region grown from the point.
        noise: also with loose and shifted boxes and off-centre clicks.
        degradations: also on images degraded so, some of ``degrade.KINDS``.
        multimask: make three masks for each prompt and take the one of the highest predicted IoU; else one
            mask, but for the first click, which alone is ambiguous.
        sonobase: also as SonoBase asks: three seeds of inexact prompts, with 0 to 7 clicks of correction.
        seed: of everything random; an image's numbers depend on nothing but this and its name.
    """

    prompts: tuple[str, ...] = PROMPTS
    clicks: int = 8
    baselines: bool = True
    noise: bool = False
    degradations: tuple[str, ...] = ()
    multimask: bool = True
    sonobase: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for names, known, what in (
            (self.prompts, PROMPTS, "prompt"),
            (self.degradations, tuple(KINDS), "degradation"),
        ):
            unknown = [name for name in names if name not in known]
            if unknown:
                raise ConfigError(f"unknown {what} {unknown[0]!r}; there are {', '.join(known)}")
        if not self.prompts:
            raise ConfigError(f"no prompts: give some of {', '.join(PROMPTS)}")
        if self.clicks < 1:
            raise ConfigError(f"a session has one click or more, got {self.clicks}")

    @property
    def single(self) -> tuple[str, ...]:
        """The prompts that are given once, without correction."""
        return tuple(name for name in BASELINES if name in self.prompts)

    @property
    def session(self) -> tuple[Condition, ...]:
        """The state of every object after each click of a session; none where it is not asked for."""
        count = self.clicks if "clicks" in self.prompts else 0
        return tuple(Condition(f"click{k}") for k in range(1, count + 1))

    def conditions(self) -> list[Condition]:
        """Every question, in the order of the report."""
        conditions = [Condition(name) for prompt in self.single for name in self.answerers(prompt)]
        conditions += self.session
        if self.noise and "box" in self.prompts:
            conditions += [
                Condition(name, kind, step)
                for kind, steps in BOX_NOISE.items()
                for step in steps
                for name in self.answerers("box")
            ]
        if self.noise and "point" in self.prompts:
            conditions += [
                Condition("point", kind, step) for kind, steps in POINT_NOISE.items() for step in steps
            ]
        if self.sonobase:
            conditions += [
                Condition(f"{prompt}+{clicks}" if clicks else prompt, SONOBASE, seed)
                for prompt in self.single
                for seed in SONOBASE_SEEDS
                for clicks in SONOBASE_CLICKS
            ]
        return conditions + [
            Condition(prompt, kind, step)
            for kind in self.degradations
            for step in STRENGTHS
            for prompt in self.single
        ]

    def answerers(self, prompt: str) -> tuple[str, ...]:
        """Who answers a prompt that is given once: the model, called as the prompt is, and the baseline."""
        return (prompt, BASELINES[prompt].name) if self.baselines else (prompt,)

    def to_json(self) -> dict[str, Any]:
        """For JSON; what was not asked before it could be is left out, so that earlier evaluations go on."""
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        return {name: v for name, v in values.items() if v or name != "sonobase"}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Protocol:
        """The inverse of `to_json`."""
        values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in content.items()}
        return cls(**values)
