"""Weights by name: fetched from their authors' addresses, verified, and kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pooch
from filelock import FileLock, Timeout

from ultrasam.checkpoints.detection import detect, variant_name
from ultrasam.checkpoints.formats import named_as_sam
from ultrasam.checkpoints.places import FOLDER_VARIABLE, OWN, OWN_FILE, cache_folder
from ultrasam.checkpoints.reading import read
from ultrasam.checkpoints.sniffing import format_of
from ultrasam.checkpoints.transfer import PATIENCE, Patience, forget, transfer
from ultrasam.data.files import write_text
from ultrasam.errors import CheckpointError
from ultrasam.modeling.build import VARIANTS

#: How addresses on the Hugging Face Hub begin, and what is taken from there.
HUB = "hf://"
_OF_HUB = ["*.safetensors", "*.json", "*.bin"]
_META = "https://dl.fbaipublicfiles.com/segment_anything"


@dataclass(frozen=True)
class Weights:
    """A file that its authors offer.

    Attributes:
        url: where.
        checksum: ``md5:...`` as far as it is known, or how the SHA-256 begins: ``sha256:...``. The SHA-256 of
            what was downloaded is kept beside the file.
        license: its license, printed when it is fetched.
        note: what else a user should know.
        variant: the architecture that the file holds, of `VARIANTS`; None for other networks.
        holds: shapes of some parameters of other networks.
    """

    url: str
    checksum: str | None
    license: str
    note: str = ""
    variant: str | None = None
    holds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """The file's own name."""
        return self.url.rsplit("/", 1)[-1].split("?")[0]


WEIGHTS = {
    "ultrasam": Weights(
        "https://s3.unistra.fr/camma_public/github/ultrasam/UltraSam.pth",
        None,
        "CC BY-NC-SA 4.0 (not for commercial use), Meyer et al., UltraSam, IJCARS 2025",
        variant="vit_b",
    ),
    "sam_vit_b": Weights(
        f"{_META}/sam_vit_b_01ec64.pth",
        "md5:01ec64d29a2fca3f0661936605ae66f8",
        "Apache-2.0, Kirillov et al., Segment Anything, ICCV 2023",
        variant="vit_b",
    ),
    "sam_vit_l": Weights(
        f"{_META}/sam_vit_l_0b3195.pth",
        "md5:0b3195507c641ddb6910d2bb5adee89c",
        "Apache-2.0, Kirillov et al., Segment Anything, ICCV 2023",
        variant="vit_l",
    ),
    "sam_vit_h": Weights(
        f"{_META}/sam_vit_h_4b8939.pth",
        "md5:4b8939a88964f0f4ff5f5b2642c598a6",
        "Apache-2.0, Kirillov et al., Segment Anything, ICCV 2023",
        variant="vit_h",
    ),
    "medsam": Weights(
        "https://zenodo.org/records/10689643/files/medsam_vit_b.pth",
        "md5:3bb6db55bd0c9ca30b61248bca72f8d6",
        "Apache-2.0, Ma et al., Segment anything in medical images, Nature Communications 2024",
        "expects boxes and its own preprocessing (square resize, minimum to maximum)",
        variant="vit_b",
    ),
    "mask2former_coco": Weights(
        "https://download.openmmlab.com/mmdetection/v3.0/mask2former/mask2former_r50_8xb2-lsj-50e_coco/"
        "mask2former_r50_8xb2-lsj-50e_coco_20220506_191028-41b088b6.pth",
        "sha256:41b088b6",
        "Apache-2.0, MMDetection; Cheng et al., Mask2Former, CVPR 2022",
        "starts the decoder of instance segmentation",
        holds={"panoptic_head.query_feat.weight": (100, 256), "backbone.conv1.weight": (64, 3, 7, 7)},
    ),
    "resnet50": Weights(
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        "sha256:0676ba61",
        "BSD-3-Clause, torchvision; He et al., Deep residual learning, CVPR 2016",
        "the baseline of the transfer tasks",
        holds={"conv1.weight": (64, 3, 7, 7), "layer4.2.conv3.weight": (2048, 512, 1, 1)},
    ),
}


def resolve(path: str | Path | None) -> Path:
    """A path as it is, or the file of a name.

    ``small`` (or None) is our own, those in `WEIGHTS` are fetched, ``hf://OWNER/NAME[@REVISION]`` lies on the
    Hugging Face Hub.
    """
    # A folder that happens to be called small must not change what works without a name.
    if path is None or path == OWN:
        return OWN_FILE
    if isinstance(path, str) and path.startswith(HUB):
        repo, _, revision = path.removeprefix(HUB).partition("@")
        return from_hub(repo, revision=revision or None)
    if isinstance(path, str) and path in WEIGHTS and not Path(path).exists():
        return fetch(path)
    if isinstance(path, str) and not Path(path).exists() and Path(path).suffix == "" and "/" not in path:
        raise CheckpointError(
            f"no weight file at {path}; names that can be used: {OWN}, {', '.join(WEIGHTS)}"
        )
    return Path(path)


def from_hub(repo: str, **options: Any) -> Path:
    """The folder of a model on the Hugging Face Hub, in huggingface_hub's own cache.

    Args:
        repo: ``OWNER/NAME``.
        options: of ``huggingface_hub.snapshot_download``: ``revision``, ``cache_dir``, ``token``, ...

    Raises:
        CheckpointError: there is no such model, or no way to it.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repo, allow_patterns=_OF_HUB, **options))
    except (OSError, ValueError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"could not fetch {HUB}{repo}: {said} Check the name; 'hf auth login' opens private ones, and "
            "without a network HF_HUB_OFFLINE=1 takes what was fetched before"
        ) from error


def fetch(name: str, folder: Path | None = None, patience: Patience = PATIENCE) -> Path:
    """The file of a named set of weights, downloaded unless it is there.

    A file gets its name once it is whole and holds the weights that the name promises. An interrupted
    download goes on where it stopped; of several processes one downloads and the others wait. Without a
    network, put the file into the folder that $ULTRASAM_WEIGHTS names.

    Args:
        name: one of `WEIGHTS`.
        folder: where files are kept; `cache_folder` where None.
        patience: how slow the server may be.

    Raises:
        CheckpointError: unknown name, no connection, or a file that is not what its name says.
    """
    if name not in WEIGHTS:
        raise CheckpointError(f"no weights named '{name}'; there are {', '.join(WEIGHTS)}")
    weights = WEIGHTS[name]
    folder = folder or cache_folder()
    path = folder / weights.file_name
    print(f"{weights.file_name}: {weights.license}", file=sys.stderr)  # noqa: T201
    if not _is_there(path):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _one_at_a_time(path, patience):
                if not _is_there(path):
                    _download(weights, path, patience)
        except (OSError, HTTPException, ValueError) as error:
            said = str(error) or type(error).__name__
            raise CheckpointError(
                f"could not fetch {weights.url}: {said}. Download it yourself and put it at {path}, or name "
                f"the folder that holds {weights.file_name} in ${FOLDER_VARIABLE}"
            ) from error
    return path


def _is_there(path: Path) -> bool:
    """Whether the file is there, as it was downloaded or put there by hand.

    Raises:
        CheckpointError: something else is there, or the file changed since.
    """
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder, where the file of that name belongs; move it away")
    if not path.is_file() or not path.stat().st_size:
        return False
    sums = _sums(path)
    kept = sums.read_text(errors="replace").split() if sums.is_file() else []
    if kept and kept[0] != pooch.file_hash(str(path), "sha256"):
        raise CheckpointError(
            f"{path} changed since it was downloaded (its SHA-256 is another); remove it and {sums.name} "
            "to fetch it again"
        )
    try:
        format_of(path)
    except CheckpointError as error:
        if kept:
            # Earlier versions kept what a server gave without a look at it.
            return False
        raise CheckpointError(f"{error}. Remove it, and it is fetched again") from error
    return True


@contextmanager
def _one_at_a_time(path: Path, patience: Patience) -> Iterator[None]:
    """Wait for other processes that fetch the same file, as long as they get on with it."""
    lock = FileLock(path.with_name(path.name + ".lock"))
    before = -1
    while True:
        try:
            with lock.acquire(timeout=2 * patience.seconds):
                yield
                return
        except Timeout:
            part = _part(path)
            now = part.stat().st_size if part.is_file() else 0
            if now <= before:
                raise CheckpointError(
                    f"another process is fetching {path.name} and gets nothing; end it, or try again later"
                ) from None
            before = now


def _download(weights: Weights, path: Path, patience: Patience) -> None:
    part = _part(path)
    transfer(weights.url, part, patience)
    try:
        _check(weights, part)
        part.replace(path)
    except CheckpointError as error:
        raise CheckpointError(f"{weights.url} did not give {path.name}: {error}. Nothing was kept") from error
    finally:
        forget(part)
    digest = pooch.file_hash(str(path), "sha256")
    write_text(_sums(path), f"{digest}  {path.name}\n")


def _check(weights: Weights, part: Path) -> None:
    """A downloaded file has its checksum, opens, and holds the weights that were promised."""
    algorithm, _, expected = (weights.checksum or "").partition(":")
    if expected and not pooch.file_hash(str(part), algorithm).startswith(expected):
        raise CheckpointError(f"its checksum is not {weights.checksum}")
    state = named_as_sam(read(part))[0]
    if weights.variant:
        spec, described = detect(state)
        if variant_name(spec) != weights.variant or spec.img_size != VARIANTS[weights.variant].img_size:
            raise CheckpointError(f"it holds {described} and not {weights.variant}")
    for name, shape in weights.holds.items():
        found = tuple(state[name].shape) if name in state else "missing"
        if found != shape:
            raise CheckpointError(f"{name} is {found} and not {shape}")


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _sums(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
