"""The model's part: encoded images kept, the next one encoded ahead, answers to prompts; for many threads."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import numpy as np

from ultrasam.annotate.edits import Answer
from ultrasam.annotate.foresight import Foresight
from ultrasam.annotate.objects import Candidate, Prompt
from ultrasam.errors import UltraSamError
from ultrasam.predict import masks
from ultrasam.predict.embeddings_cache import EmbeddingsCache
from ultrasam.predict.encoded import Encoded
from ultrasam.predict.kept import KeptImages
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.quality import expected

logger = logging.getLogger(__name__)

#: Bytes of encoded images, their pixels included, that are kept in memory.
_KEPT = 256 * 2**20
#: Bytes of embeddings on disk.
_ON_DISK = 2 * 2**30

Read = Callable[[], np.ndarray]


class Assistant:
    """Encodes images and answers prompts.

    Args:
        load: makes the predictor; called in the background, since loading takes a second.
        cache: a folder that embeddings of whole images are kept in; None for none.
        quality: say what each mask is worth, where the weights know it: a prompt takes about twice as long.
    """

    def __init__(
        self, load: Callable[[], Predictor], cache: Path | None = None, *, quality: bool = False
    ) -> None:
        self._judges = quality
        self._kept = KeptImages(_KEPT)
        self._ahead: dict[Hashable, Future[None]] = {}
        self._lock = threading.Lock()
        self._background = ThreadPoolExecutor(1, "encode-ahead")
        self._foresight = Foresight(self._answer)
        self._predictor = self._background.submit(self._load, load, cache)

    def _load(self, load: Callable[[], Predictor], cache: Path | None) -> tuple[Predictor, Predictor]:
        predictor = load()
        if cache is None:
            return predictor, predictor
        try:
            store = EmbeddingsCache(cache, _ON_DISK)
        except UltraSamError as error:
            logger.warning("embeddings are not kept: %s", error)
            return predictor, predictor
        whole = Predictor(
            predictor.engine,
            closer=predictor.closer,
            cleanup=predictor.cleanup,
            refinement=predictor.refinement,
            cache=store,
        )
        whole.embedder = replace(predictor.embedder, cache=store)
        return predictor, whole

    @property
    def predictor(self) -> Predictor:
        """The predictor, when it is loaded.

        Raises:
            UltraSamError: the weights can't be loaded.
        """
        return self._predictor.result()[0]

    def encode(self, key: Hashable, read: Read) -> Encoded:
        """The encoded image of a key; made once, however many ask for it at the same time.

        Args:
            key: names the image.
            read: gives its pixels, (H, W, 3) uint8 RGB.
        """
        return self._kept.get(key, lambda: self._encode(read()))

    def _encode(self, image: np.ndarray) -> Encoded:
        predictor, whole = self._predictor.result()
        # Regions round objects are encoded too, and are not worth a place on the disk.
        return replace(whole.encode(image), embedder=predictor.embedder)

    def prepare(self, wanted: Sequence[tuple[Hashable, Read]]) -> None:
        """Encode images in the background, in this order; what waits from before is dropped."""
        with self._lock:
            for job in self._ahead.values():
                job.cancel()
            self._ahead = {
                key: self._background.submit(self._quietly, key, read)
                for key, read in wanted
                if key not in self._kept
            }

    def _quietly(self, key: Hashable, read: Read) -> None:
        # Whoever asks for the image is told what is wrong with it.
        with contextlib.suppress(UltraSamError, LookupError, OSError):
            self.encode(key, read)

    def answer(self, encoded: Encoded, prompt: Prompt) -> Answer:
        """What a prompt means: three masks for a single click, one for anything else."""
        return self._foresight.answer(encoded, prompt)

    def _answer(self, encoded: Encoded, prompt: Prompt) -> Answer:
        asked = prompt.for_model()
        found = encoded.candidates([asked], multimask=prompt.ambiguous)
        codes = masks.encode(found.masks[0], encoded.geometries[0].original)
        candidates = [
            Candidate(code, round(float(iou), 4)) for code, iou in zip(codes, found.iou[0], strict=True)
        ]
        best = int(found.iou[0].argmax())
        if not self._judges:
            return Answer(tuple(candidates), best)
        quality = expected(encoded, asked, candidates[best].iou, multimask=prompt.ambiguous)
        return Answer(tuple(candidates), best, None if quality is None else round(quality, 4))

    def hover(self, encoded: Encoded, x: float, y: float) -> Candidate:
        """The mask of a click that is not made yet, from the whole image: quick; see `Foresight`."""
        prompt = Prompt(points=((x, y),), labels=(1,))
        found = encoded.whole().segment([prompt.for_model()], multimask=True)
        (code,) = found.rles()
        self._foresight.rests(encoded, prompt)
        return Candidate(code, round(float(found.scores[0]), 4))

    def idle(self) -> None:
        """Wait until what was to be prepared is."""
        with self._lock:
            ahead = list(self._ahead.values())
        wait(ahead)

    def close(self) -> None:
        """Stop working ahead."""
        self._foresight.close()
        self._background.shutdown(cancel_futures=True)
