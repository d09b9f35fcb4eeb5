"""A model's ONNX graphs in onnxruntime as the engine of predictors: no PyTorch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.errors import UltraSamError
from ultrasam.machine import threads
from ultrasam.machine.extras import need
from ultrasam.predict.engine import BoxOf, Engine
from ultrasam.predict.graph_files import HEADS, PARTS, GraphFiles
from ultrasam.prompts.refine import Refinement, interact
from ultrasam.types import PADDING, Prediction, Prompts, pixel_indices

logger = logging.getLogger(__name__)

#: Devices -> onnxruntime's provider for them, and the package that brings it.
_PROVIDERS = {
    "cpu": ("CPUExecutionProvider", "onnxruntime"),
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
}
_CPU = _PROVIDERS["cpu"][0]
#: Prompts that are decoded together: a processor is quickest within its cache.
_TOGETHER = 8
# Labels of segment-anything's exported decoder: a point that is none, and the corners of a box.
_NOT_A_POINT, _TOP_LEFT, _BOTTOM_RIGHT = -1.0, 2.0, 3.0


class OnnxEngine(Engine):
    """Runs ONNX graphs.

    Args:
        files: the graphs.
        device: ``cpu`` or ``cuda``; None for ``cpu``.

    Raises:
        UltraSamError: onnxruntime is not installed or has no such device, or the graphs can't be opened.
        CheckpointError: the files are not those that were written together.
    """

    def __init__(self, files: GraphFiles, device: str | None = None) -> None:
        need("the engine 'onnx'", "onnxruntime")
        files.check()
        provider = _provider(device or "cpu")
        self.img_size, self.mask_size, self.usage = files.img_size, files.mask_size, files.usage
        self._digest, self._files, self._provider = files.digest, files, provider
        # Opening takes as long as several images; onnxruntime leaves the other threads free meanwhile.
        with ThreadPoolExecutor(len(PARTS)) as pool:
            opened: list[Future[Any]] = [pool.submit(_open, files, part, provider) for part in PARTS]
        self._encoder, self._decoder = (session.result() for session in opened)
        if provider not in self._encoder.get_providers():
            logger.warning("onnxruntime can't use %s here: the model runs on the processor", provider)

    @property
    def device(self) -> str:
        """``cpu``, or ``cuda`` where that could be used."""
        used = self._encoder.get_providers()[0]
        return next(name for name, (provider, _) in _PROVIDERS.items() if provider == used)

    def fingerprint(self) -> str:
        """A digest of the files."""
        return f"onnx-{self._digest}"

    def encode(self, inputs: Any) -> NDArray[np.float32]:
        """Network inputs (B, 3, S, S) float32 -> embeddings (B, C, h, w)."""
        rows = np.asarray(inputs, dtype=np.float32)
        return np.concatenate([self._encoder.run(None, {"input_image": row[None]})[0] for row in rows])

    def join(self, parts: Sequence[Any]) -> NDArray[np.float32]:
        """Embeddings as those of one batch."""
        return np.concatenate(parts)

    def array(self, features: Any) -> NDArray[np.float32]:
        """Embeddings as an array."""
        return np.ascontiguousarray(features)

    def propose(self, features: Any) -> NDArray[np.float32] | None:
        """See `Engine.propose`."""
        if self._proposer is None:
            return None
        return np.concatenate(
            [self._proposer.run(None, {"image_embeddings": row[None]})[0] for row in features]
        )

    @cached_property
    def _proposer(self) -> Any:
        return _open(self._files, HEADS, self._provider) if self._files.has_heads else None

    def decode(
        self,
        features: Any,
        prompts: Prompts[NDArray[Any]],
        *,
        multimask: bool,
        best: bool = False,
        refinement: Refinement | None = None,
        box_of: BoxOf | None = None,
    ) -> Prediction[NDArray[Any]]:
        """See `Engine.decode`."""
        decoder = _Decoder(self._decoder.run, self.mask_size)
        if refinement is None:
            found = decoder.decode(features, prompts, multimask=multimask)
            return found.best() if best else found
        # Nothing has gradients here.
        refinement = replace(refinement, detach=False)
        found = list(interact(decoder, features, prompts, refinement, box_of))[-1]
        return found if multimask and not best else found.best()


class _Decoder:
    """The decoder's graph for prompts of any mixture.

    The graph knows no unused slots, so objects that use the same ones go through it together.
    """

    def __init__(self, run: Callable[..., list[Any]], mask_size: tuple[int, int]) -> None:
        self._run, self._mask_size = run, mask_size

    def decode(
        self, embeddings: NDArray[Any], prompts: Prompts[NDArray[Any]], *, multimask: bool | None
    ) -> Prediction[NDArray[Any]]:
        """As `Sam.decode`."""
        wanted = slice(None) if multimask is None else slice(1, None) if multimask else slice(1)
        n = len(prompts)
        number = {None: 4, True: 3, False: 1}[multimask]
        logits = np.empty((n, number, *self._mask_size), dtype=np.float32)
        iou = np.empty((n, number), dtype=np.float32)
        coords, labels, kinds = _tokens(prompts)
        masked = _masked(prompts)
        groups: dict[tuple[int, ...], list[int]] = {}
        for row, key in enumerate(np.column_stack([prompts.image_index, masked, kinds]).tolist()):
            groups.setdefault(tuple(key), []).append(row)
        for (image, has_mask, *_), every in groups.items():
            for start in range(0, len(every), _TOGETHER):
                rows = every[start : start + _TOGETHER]
                used = labels[rows[0]] != _UNUSED
                given = {
                    "image_embeddings": embeddings[image : image + 1],
                    "point_coords": coords[rows][:, used],
                    "point_labels": labels[rows][:, used],
                    "mask_input": self._masks(prompts, rows, bool(has_mask)),
                    "has_mask_input": np.array([has_mask], dtype=np.float32),
                }
                low, scores = self._run(None, given)
                logits[rows], iou[rows] = low[:, wanted], scores[:, wanted]
        return Prediction(logits, iou)

    def _masks(self, prompts: Prompts[NDArray[Any]], rows: list[int], has_mask: bool) -> NDArray[Any]:
        if not has_mask or prompts.masks is None:
            return np.zeros((1, 1, *self._mask_size), dtype=np.float32)
        return prompts.masks[rows].astype(np.float32)


#: Label of a slot that an object does not use.
_UNUSED = -9.0


def _tokens(prompts: Prompts[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Slots of N prompts: pixel indices (N, T, 2), labels (N, T) and which are used (N, T), as 0 and 1.

    As `PromptEncoder.encode` orders them: points, the point that is none after points without a box, corners.
    """
    n = len(prompts)
    places: list[NDArray[Any]] = [np.zeros((n, 0, 2))]
    labels: list[NDArray[Any]] = [np.zeros((n, 0))]
    has_box = np.zeros(n, dtype=bool)
    if prompts.boxes is not None:
        has_box = ~np.isnan(prompts.boxes).any(axis=1)
    if prompts.points is not None and prompts.labels is not None:
        is_point = prompts.labels != PADDING
        places += [pixel_indices(prompts.points), np.zeros((n, 1, 2))]
        closes = is_point.any(axis=1) & ~has_box
        labels += [np.where(is_point, prompts.labels, _UNUSED)]
        labels += [np.where(closes, _NOT_A_POINT, _UNUSED)[:, None]]
    if prompts.boxes is not None:
        places += [pixel_indices(np.nan_to_num(prompts.boxes)).reshape(n, 2, 2)]
        labels += [np.where(has_box[:, None], [_TOP_LEFT, _BOTTOM_RIGHT], _UNUSED)]
    joined = np.concatenate(labels, axis=1).astype(np.float32)
    return np.concatenate(places, axis=1).astype(np.float32), joined, (joined != _UNUSED).astype(int)


def _masked(prompts: Prompts[NDArray[Any]]) -> NDArray[Any]:
    """Which of N prompts have a mask, as 0 and 1."""
    if prompts.masks is None:
        return np.zeros(len(prompts), dtype=int)
    return (np.ones(len(prompts)) if prompts.has_mask is None else prompts.has_mask).astype(int)


def _provider(device: str) -> str:
    import onnxruntime

    kind = device.split(":")[0]
    if kind not in _PROVIDERS:
        raise UltraSamError(f"the engine 'onnx' runs on {' or '.join(_PROVIDERS)}, not on '{device}'")
    provider, package = _PROVIDERS[kind]
    if provider not in onnxruntime.get_available_providers():
        raise UltraSamError(f"the installed onnxruntime has no {provider}: pip install {package}")
    return provider


def _open(files: GraphFiles, part: str, provider: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads.wanted()
    options.inter_op_num_threads = 1
    # Threads that wait by spinning take processor time from everything else that runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = files.graph(part)
    try:
        providers = list(dict.fromkeys((provider, _CPU)))
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    # onnxruntime's own errors are children of nothing but Exception.
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UltraSamError(f"onnxruntime {onnxruntime.__version__} can't open {path}: {reason}") from error
