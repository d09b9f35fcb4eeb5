"""The image that a predictor was told to look at, guarded against threads that change it for each other."""

from __future__ import annotations

import threading
from typing import Any

from ultrasam.errors import UltraSamError
from ultrasam.predict.encoded import Encoded


class Current:
    """Holds the images that were set last.

    A thread that has set images never works on those of another: it is told so. A thread that has set none
    works on what is there.
    """

    def __init__(self) -> None:
        self._encoded: Encoded | None = None
        self._own = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        return {"encoded": self._encoded}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]
        self._encoded = state["encoded"]

    @property
    def is_set(self) -> bool:
        """Whether there are images."""
        return self._encoded is not None

    def set(self, encoded: Encoded | None) -> None:
        """Look at these images; None for none."""
        self._encoded = self._own.encoded = encoded

    def get(self) -> Encoded:
        """The images.

        Raises:
            UltraSamError: none are set, or another thread has set others since this one set its own.
        """
        encoded = self._encoded
        if getattr(self._own, "encoded", encoded) is not encoded:
            raise UltraSamError(
                "another thread has set another image on this predictor since this thread set its own; "
                "threads that share a predictor keep each image as a value: "
                "encoded = predictor.encode(image), then encoded.segment(objects)"
            )
        if encoded is None:
            raise UltraSamError("no image is set: call set_image(image) first")
        return encoded
