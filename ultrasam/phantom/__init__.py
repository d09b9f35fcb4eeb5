"""Simulated ultrasound: B-mode images with exact masks, the data set that needs no download.

``simulate(seed, index)`` gives one image. What happens, in order: ``scenes`` draws the organ, the probe
(``fans``, ``geometry``) and the objects (``makers``, ``outline``, ``placement``); ``tissue`` and ``lesion``
paint acoustic properties on the beams; ``artifacts`` and ``speckle`` make the echo; ``display`` compresses
it; ``geometry`` brings it to the image; ``overlays`` burns in marks.
"""

from ultrasam.phantom.phantom import CATEGORIES, GEOMETRIES, Phantom, PhantomObject
from ultrasam.phantom.scenes import ORGANS
from ultrasam.phantom.simulate import simulate

__all__ = ["CATEGORIES", "GEOMETRIES", "ORGANS", "Phantom", "PhantomObject", "simulate"]
