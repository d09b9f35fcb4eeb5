"""The documents' commands and Python, and a folder in which what they name exists, small."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path

import cv2
import numpy as np

from ultrasam.modeling.build import VARIANTS, Variant

ROOT = Path(__file__).parents[2]
#: What commands take for a ViT-b.
SHALLOW = replace(VARIANTS["vit_b"], depth=2, global_attn_indexes=(1,))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: A word of a usage line, which stands for something to be given.
_PLACE = re.compile(r"\b(CONFIG|CHECKPOINT|PARTITION|GPUS)\b|\[options\]")


@dataclass(frozen=True)
class Line:
    """A command as a document prints it."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages."""
    return [
        body for language, body in _FENCE.findall(page.read_text(encoding="utf-8")) if language in languages
    ]


def commands(*starts: str) -> list[Line]:
    """Commands that begin with one of these words (after settings of the environment), comments cut off."""
    found = []
    for page in PAGES:
        for body in blocks(page, "", "bash", "console", "sh"):
            for line in body.replace("\\\n", " ").splitlines():
                text = re.split(r"\s{2,}#|\s# ", line)[0].strip()
                words = [word for word in text.split() if not re.fullmatch(r"[A-Z_]+=\S+", word)]
                if " ".join(words).startswith(starts) and not _PLACE.search(text):
                    found.append(Line(page.relative_to(ROOT).as_posix(), text))
    return list(dict.fromkeys(found))


def words(text: str, folder: Path) -> list[str]:
    """The words of a command as a shell in a folder would hand them on: quotes, braces, globs."""
    found: list[str] = []
    for word in shlex.split(text):
        for option in _braces(word) if "{" in word and "=" not in word else [word]:
            hits = sorted(glob(option, root_dir=folder)) if "*" in option else []
            found += hits or [option]
    return found


def _braces(word: str) -> Iterator[str]:
    parts = [
        part[1:-1].split(",") if part.startswith("{") else [part] for part in re.split(r"({[^}]*})", word)
    ]
    return map("".join, itertools.product(*parts))


def fill(folder: Path) -> None:
    """Make everything that the documents' lines name."""
    _pictures(folder)
    _data(folder)
    write_weights(folder, SHALLOW, 64)


def _pictures(folder: Path) -> None:
    import nibabel

    from tests.kit.fuzz_files import dicom_bytes
    from tests.kit.scans import write_scan
    from tests.kit.screens import sector_mask, speckle
    from ultrasam.phantom import simulate

    picture = cv2.cvtColor(simulate(1, 0, size=400).image, cv2.COLOR_RGB2BGR)
    for name in ("lesion", "scan", "new", "a", "b", "images/one"):
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), picture)
    height, width = picture.shape[:2]
    detections = {
        "images": [{"id": 1, "file_name": "one.png", "height": height, "width": width}],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [120, 80, 100, 90], "score": 0.9}],
    }
    (folder / "detections.json").write_text(json.dumps(detections))
    for name in ("cine", "four_chamber", "two_chamber"):
        write_scan(folder / f"{name}.dcm", np.stack([picture] * 2))
    (folder / "planes.csv").write_text("four_chamber.dcm,120,80,340,260\ntwo_chamber.dcm,120,80,340,260\n")
    # Of the size of the image that Python blocks are given.
    write_scan(folder / "scan.dcm", np.zeros((300, 400), dtype=np.uint8))
    slices = np.stack([picture[..., 0].T] * 2, axis=2)
    nibabel.save(nibabel.Nifti1Image(slices, np.eye(4)), folder / "volume.nii.gz")
    (folder / "study").mkdir()
    rng = np.random.default_rng(3)
    mask = sector_mask(rng, 400, 400)
    screen = np.stack([speckle(rng, mask) for _ in range(5)])
    (folder / "study/cine.dcm").write_bytes(dicom_bytes(screen, PatientName="Doe"))


def _data(folder: Path) -> None:
    """Phantoms, as a data set and as stand-ins for others; a raw download; tables of labels."""
    from tests.converters.raw import busi
    from ultrasam.data.formats import exporting
    from ultrasam.data.phantoms import write_phantoms

    busi.make(folder / "downloads/busi")
    busi.make(folder / "RAW/busi")
    data = folder / "data"
    write_phantoms(data, 20, size=64)
    phantom = data / "phantom"
    whole = json.loads((phantom / "annotations/all.json").read_text())
    for name in ("bus_bra", "mine"):
        shutil.copytree(phantom, data / name)
        for path in (data / name / "annotations").glob("*.json"):
            _two_classes(path, name)
    (data / "us43d").mkdir()
    for name in ("train", "val"):
        part = json.loads((phantom / f"annotations/{name}.agnostic.json").read_text())
        for image in part["images"]:
            image["file_name"] = f"bus_bra/images/{image['file_name']}"
        (data / f"us43d/{name}.json").write_text(json.dumps(part))
    (folder / "mine.json").write_text(json.dumps(whole))
    fit = {"curves": {kind: [[0.0, 0.0], [1.0, 0.9]] for kind in ("box", "point")}}
    (folder / "quality.json").write_text(json.dumps(fit | {"areas": {"box": [0.9, 1.1], "point": [0.5, 2]}}))
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images/labels.json").write_text(json.dumps(whole))
    for name in ("bus_bra", "cart"):
        (data / f"{name}.json").write_text(json.dumps(whole))
    exporting.export(folder / "mine.json", "labelme", folder / "my_labels", phantom / "images")
    for target in ("images", "data/images", "data/portable"):
        shutil.copytree(phantom / "images", folder / target, dirs_exist_ok=True)
    for name in ("train", "test"):
        shutil.copy(data / f"bus_bra/annotations/{name}.json", folder / f"{name}.json")
    for name in ("train", "val", "test"):
        files = [image["file_name"] for image in whole["images"] if image["split"] == name]
        rows = [f"{file},c{i},{('Cyst', 'Stone', 'Cyst|Stone')[i % 3]}" for i, file in enumerate(files)]
        (data / f"mine/{name}.csv").write_text("\n".join(["file,clip,labels", *rows]) + "\n")
    corpus = folder / "corpus"
    shutil.copytree(phantom / "images", corpus / "images")
    (corpus / "annotations").mkdir()
    for name in ("bus_bra", "breast_usg", "hc", "ccaui"):
        content = {**whole, "images": [{**image, "dataset": name} for image in whole["images"]]}
        (corpus / f"annotations/{name}.json").write_text(json.dumps(content))


def _two_classes(path: Path, name: str) -> None:
    """The names of BUS-BRA's categories, by turns, in a data set of this name."""
    content = json.loads(path.read_text())
    names = ("breast_nodule_benign", "breast_nodule_malignant")
    content["categories"] = [{"id": i, "name": name} for i, name in enumerate(names, 1)]
    for annotation in content["annotations"]:
        annotation["category_id"] = 1 + annotation["image_id"] % 2
    for image in content["images"]:
        image["dataset"] = name
    path.write_text(json.dumps(content))


def write_weights(folder: Path, spec: Variant, img_size: int) -> None:
    """Random weights of the right layout under the names that people download."""
    import torch

    from ultrasam import checkpoints
    from ultrasam.modeling.build import build_variant

    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    plain = folder / "sam_vit_b_01ec64.pth"
    torch.save(build_variant(spec, img_size=img_size).state_dict(), plain)
    checkpoints.convert(str(plain), str(folder / "UltraSam.pth"), "ultrasam")
