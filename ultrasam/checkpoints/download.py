"""Weights by name: fetched from their authors' addresses, verified, and kept."""

from __future__ import annotations

import hashlib
import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrasam.errors import CheckpointError

#: The package's own small model, and the file that holds it.
OWN = "small"
OWN_FILE = Path(__file__).parents[1] / "weights" / "ultrasam_small.safetensors"
#: A folder whose files are used instead of downloading; also where downloads go.
FOLDER_VARIABLE = "ULTRASAM_WEIGHTS"
_META = "https://dl.fbaipublicfiles.com/segment_anything"


@dataclass(frozen=True)
class Weights:
    """A file that its authors offer.

    Attributes:
        url: where.
        checksum: ``md5:...`` as far as it is known; the first download's SHA-256 is kept beside the file.
        license: its license, printed when it is fetched.
        note: what else a user should know.
    """

    url: str
    checksum: str | None
    license: str
    note: str = ""

    @property
    def file_name(self) -> str:
        """The file's own name."""
        return self.url.rsplit("/", 1)[-1].split("?")[0]


WEIGHTS = {
    "ultrasam": Weights(
        "https://s3.unistra.fr/camma_public/github/ultrasam/UltraSam.pth",
        None,
        "CC BY-NC-SA 4.0 (not for commercial use), Meyer et al., UltraSam, IJCARS 2025",
    ),
    "sam_vit_b": Weights(
        f"{_META}/sam_vit_b_01ec64.pth",
        "md5:01ec64d29a2fca3f0661936605ae66f8",
        "Apache-2.0, Kirillov et al., Segment Anything, ICCV 2023",
    ),
    "sam_vit_l": Weights(
        f"{_META}/sam_vit_l_0b3195.pth",
        "md5:0b3195507c641ddb6910d2bb5adee89c",
        "Apache-2.0, Kirillov et al., Segment Anything, ICCV 2023",
    ),
    "sam_vit_h": Weights(
        f"{_META}/sam_vit_h_4b8939.pth",
        "md5:4b8939a88964f0f4ff5f5b2642c598a6",
        "Apache-2.0, Kirillov et al., Segment Anything, ICCV 2023",
    ),
    "medsam": Weights(
        "https://zenodo.org/records/10689643/files/medsam_vit_b.pth",
        "md5:3bb6db55bd0c9ca30b61248bca72f8d6",
        "Apache-2.0, Ma et al., Segment anything in medical images, Nature Communications 2024",
        "expects boxes and its own preprocessing (square resize, minimum to maximum)",
    ),
    "mask2former_coco": Weights(
        "https://download.openmmlab.com/mmdetection/v3.0/mask2former/mask2former_r50_8xb2-lsj-50e_coco/"
        "mask2former_r50_8xb2-lsj-50e_coco_20220506_191028-41b088b6.pth",
        None,
        "Apache-2.0, MMDetection; Cheng et al., Mask2Former, CVPR 2022",
        "starts the decoder of instance segmentation",
    ),
    "resnet50": Weights(
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        None,
        "BSD-3-Clause, torchvision; He et al., Deep residual learning, CVPR 2016",
        "the baseline of the transfer tasks",
    ),
}


def resolve(path: str | Path | None) -> Path:
    """A path as it is, or the file of a name: ``small`` (or None) for our own, those in `WEIGHTS` fetched."""
    # A folder that happens to be called small must not change what works without a name.
    if path is None or path == OWN:
        return OWN_FILE
    if isinstance(path, str) and path in WEIGHTS and not Path(path).exists():
        return fetch(path)
    if isinstance(path, str) and not Path(path).exists() and Path(path).suffix == "" and "/" not in path:
        raise CheckpointError(
            f"no weight file at {path}; names that can be used: {OWN}, {', '.join(WEIGHTS)}"
        )
    return Path(path)


def cache_folder() -> Path:
    """Where weights are kept: $ULTRASAM_WEIGHTS, or the user's cache."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given).expanduser()
    import pooch

    return Path(pooch.os_cache("ultrasam"))


def fetch(name: str, folder: Path | None = None) -> Path:
    """The file of a named set of weights, downloaded unless it is there.

    An interrupted download goes on where it stopped. Without a network, put the file into the folder that
    $ULTRASAM_WEIGHTS names.

    Raises:
        CheckpointError: unknown name, no connection, or a file that does not have its checksum.
    """
    import pooch

    if name not in WEIGHTS:
        raise CheckpointError(f"no weights named '{name}'; there are {', '.join(WEIGHTS)}")
    weights = WEIGHTS[name]
    folder = folder or cache_folder()
    path = folder / weights.file_name
    print(f"{weights.file_name}: {weights.license}", file=sys.stderr)  # noqa: T201
    if not path.exists():
        try:
            pooch.retrieve(
                weights.url, weights.checksum, weights.file_name, folder, downloader=_Resuming(folder)
            )
        except (OSError, urllib.error.URLError, ValueError) as error:
            raise CheckpointError(
                f"could not fetch {weights.url}: {error}. Download it yourself and put it at {path}, or name "
                f"the folder that holds {weights.file_name} in ${FOLDER_VARIABLE}"
            ) from error
        _keep_checksum(path)
    _verify(path)
    return path


class _Resuming:
    """A downloader for pooch that keeps what it has and asks for the rest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        """Download ``url`` to ``output_file``."""
        from tqdm import tqdm

        part = self.folder / (url.rsplit("/", 1)[-1] + ".part")
        have = part.stat().st_size if part.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        try:
            response = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            # All of it is here already.
            os.replace(part, output_file)
            return
        with response:
            resumed = response.status == 206
            total = int(response.headers.get("Content-Length", 0)) + (have if resumed else 0)
            with (
                part.open("ab" if resumed else "wb") as file,
                tqdm(total=total or None, initial=have if resumed else 0, unit="B", unit_scale=True) as bar,
            ):
                while chunk := response.read(1 << 20):
                    file.write(chunk)
                    bar.update(len(chunk))
        if total and part.stat().st_size != total:
            raise OSError(f"the connection broke after {part.stat().st_size} of {total} bytes; try again")
        os.replace(part, output_file)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()


def _keep_checksum(path: Path) -> None:
    path.with_name(path.name + ".sha256").write_text(f"{_digest(path)}  {path.name}\n")


def _verify(path: Path) -> None:
    """Compare with the checksum of the first download; a file that was put there by hand has none."""
    kept = path.with_name(path.name + ".sha256")
    if kept.exists() and kept.read_text().split()[0] != _digest(path):
        raise CheckpointError(
            f"{path} changed since it was downloaded (its SHA-256 is another); remove it and {kept.name} "
            "to fetch it again"
        )
