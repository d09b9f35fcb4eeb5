"""Work on many files over processes or any executor, as the converters' engine does it."""

from ultrasam.converters.engine.executors import KINDS, from_option
from ultrasam.converters.engine.workers import AnyWorkers, Lost, finished

__all__ = ["KINDS", "AnyWorkers", "Lost", "finished", "from_option"]
