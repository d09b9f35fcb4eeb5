"""The model's part of the service: images kept, and what is found on them; for any number of threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ultrasam.errors import DataError, PromptError
from ultrasam.predict import masks
from ultrasam.predict.automatic import Everything, find_everything
from ultrasam.predict.encoded import Answer, Encoded
from ultrasam.predict.kept import KeptImages, Lru
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.pixels import Window
from ultrasam.predict.segmentation import Segmentation
from ultrasam.predict.track import Follower, Tracked
from ultrasam.serve import uploads
from ultrasam.serve.uploads import Picture

#: Bytes of images and embeddings that are kept.
MEMORY = 2**30


class UnknownImageError(DataError):
    """An image was never sent, or has left since."""


class TooLargeError(DataError):
    """What was sent does not fit."""


@dataclass(frozen=True)
class Held:
    """How full the memory is: images, their bytes, and the most bytes that are kept."""

    images: int
    bytes: int
    limit: int


class ImageService:
    """Keeps images by the digest of their pixels and answers for them.

    Encoded images are values, and each request is worked out by itself: what a client gets does not depend
    on who else asks. Pixels take at most half of the memory, embeddings the other half; one that has left is
    made again from the pixels.

    Args:
        predictor: the model.
        memory: bytes of images and embeddings; beyond them the oldest leave.
        at_once: requests that are worked on at the same time; as many as there are processors where None.
    """

    def __init__(self, predictor: ObjectPredictor, memory: int = MEMORY, at_once: int | None = None) -> None:
        self.predictor = predictor
        self._limit = memory // 2
        self._pictures: Lru[Picture] = Lru(self._limit)
        self._encoded = KeptImages(memory - self._limit)
        self._turns = threading.BoundedSemaphore(at_once or os.cpu_count() or 1)

    @property
    def held(self) -> Held:
        """How full the memory is."""
        return Held(len(self._pictures), self._pictures.bytes, self._limit)

    def add(
        self, data: bytes, window: Window | None = None, first: int = 0, last: int | None = None
    ) -> list[Picture]:
        """Keep the images of a file; a single one is encoded at once, so that its first prompt is quick.

        Args:
            data: PNG, JPEG and the like, DICOM, a stack or an animation, or what ``numpy.save`` writes.
            window: gray values shown as black and white.
            first: frame of a clip to begin with.
            last: the last frame; None for all.

        Raises:
            DataError: it can't be read, or has no such frames.
            TooLargeError: it does not fit into the memory.
        """
        found: list[Picture] = []
        total, seen = 0, 0
        with self._turns:
            for picture in uploads.read(data, window):
                seen += 1
                if seen <= first:
                    continue
                total += picture.pixels.nbytes
                if total > self._limit:
                    raise TooLargeError(
                        f"the images of this file take more than the {self._limit:,} bytes of memory: ask "
                        "for some of its frames with first and last, or start the server with more --memory"
                    )
                found.append(picture)
                if last is not None and seen > last:
                    break
            if not found:
                raise DataError(f"the file has no frame {first}: its last is {seen - 1}")
            for picture in found:
                self._pictures.put(picture.id, picture, picture.pixels.nbytes)
            if len(found) == 1:
                self._encode(found[0])
        return found

    def picture(self, image: str) -> Picture:
        """An image that was sent.

        Raises:
            UnknownImageError: it was not, or has left since.
        """
        found = self._pictures.get(image)
        if found is None:
            raise UnknownImageError(
                f"image {image!r:.60} is not here (any more): send it again; the oldest leave the memory "
                f"when there are more than {self._limit:,} bytes of them"
            )
        return found

    def forget(self, image: str) -> None:
        """Free the memory of an image; `UnknownImageError` where it is not here."""
        self.picture(image)
        self._pictures.drop(image)
        self._encoded.drop(image)

    def prompt(self, picture: Picture, objects: Sequence[ObjectPrompt], multimask: bool) -> Answer:
        """Segment objects: `Encoded.candidates`.

        Raises:
            PromptError: a prompt makes no sense; the message names it.
        """
        with self._turns:
            answer = self._encode(picture).candidates(objects, multimask=multimask)
        return answer

    def everything(self, picture: Picture, wanted: Everything) -> Segmentation:
        """Find everything: `find_everything`."""
        with self._turns:
            return find_everything(self._encode(picture), wanted)

    def propagate(
        self, pictures: Sequence[Picture], objects: Sequence[ObjectPrompt | np.ndarray]
    ) -> Iterator[list[Tracked | None]]:
        """Carry objects of the first image through those after it.

        Args:
            pictures: the frames, in order.
            objects: N prompts, or masks (H, W) bool, on the first frame.

        Yields:
            the N objects of the next frame, None for those that were lost.

        Raises:
            PromptError: a prompt makes no sense, or images are of different sizes.
        """
        size = pictures[0].pixels.shape[:2]
        for picture in pictures:
            if picture.pixels.shape[:2] != size:
                height, width = picture.pixels.shape[:2]
                raise PromptError(
                    f"image {picture.id} is {width} x {height}, the first one {size[1]} x {size[0]}: the "
                    "frames of a clip are of one size"
                )
        prompts = [entry for entry in objects if isinstance(entry, ObjectPrompt)]
        found = iter(self._best_masks(pictures[0], prompts))
        starts = [next(found) if isinstance(entry, ObjectPrompt) else entry for entry in objects]
        work = Follower(self.predictor, pictures[0].pixels, dict(enumerate(starts)))
        for picture in pictures[1:]:
            with self._turns:
                tracked = work.step(picture.pixels)
            yield list(tracked.values())

    def _best_masks(self, picture: Picture, prompts: Sequence[ObjectPrompt]) -> np.ndarray:
        if not prompts:
            return np.zeros((0, *picture.pixels.shape[:2]), dtype=bool)
        answer = self.prompt(picture, prompts, multimask=False)
        return masks.draw([row[0] for row in answer.masks], picture.pixels.shape[:2])

    def _encode(self, picture: Picture) -> Encoded:
        return self._encoded.get(picture.id, lambda: self.predictor.encode(picture.pixels))
