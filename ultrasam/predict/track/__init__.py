"""Objects followed through time: one engine for the annotator, the service, ``--follow`` and your own code.

`Follower` takes one frame after the other. `TrackingState` and `steps` go forwards and backwards through a
clip, between any number of prompted frames; `ultrasam.VideoPredictor` gives them SAM 2's interface.
"""

from ultrasam.predict.track.follower import Follower
from ultrasam.predict.track.passage import Step, steps
from ultrasam.predict.track.state import TrackingState
from ultrasam.predict.track.tracked import Tracked

__all__ = ["Follower", "Step", "Tracked", "TrackingState", "steps"]
