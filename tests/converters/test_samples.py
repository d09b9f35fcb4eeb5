"""Real data sets in their original trees, counted independently by PIL and scipy."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scipy import ndimage
from ultrasam.converters import check, convert, get

pytestmark = pytest.mark.data
EIGHT = np.ones((3, 3))


def gray(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"))


def red(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))[..., 0]


def parts(
    mask: np.ndarray, speck=lambda area, largest: area < 10 and area < 0.01 * largest
) -> list[np.ndarray]:
    """8-connected components by scipy, without specks."""
    labels, count = ndimage.label(mask, EIGHT)
    pieces = [labels == i for i in range(1, count + 1)]
    largest = max((p.sum() for p in pieces), default=0)
    return [p for p in pieces if not speck(p.sum(), largest)]


def run(name: str, source: Path, out: Path):
    report = convert(get(name), source, out)
    coco = COCO(str(out / name / "annotations/all.json"))
    assert check(coco.dataset, out / name / "images") == []
    return report, coco


def agree(coco: COCO, wanted: dict[str, list[np.ndarray]], out: Path | None = None, images=None) -> None:
    """Every image that ought to be there is, with exactly these masks (and these pixels)."""
    found = {image["source"]["file"]: image for image in coco.dataset["images"]}
    wanted = {key: masks for key, masks in wanted.items() if masks}
    assert set(found) == set(wanted)
    for key, masks in wanted.items():
        decoded = [coco.annToMask(a).astype(bool) for a in coco.imgToAnns[found[key]["id"]]]
        assert Counter(m.tobytes() for m in decoded) == Counter(m.tobytes() for m in masks), key
        if images is not None:
            written = np.asarray(Image.open(out / found[key]["file_name"]).convert("RGB"))
            np.testing.assert_array_equal(written, np.asarray(Image.open(images / key).convert("RGB")))


def below(root: Path, pattern: str) -> list[Path]:
    found = sorted(root.glob(pattern))
    assert found
    return found


def test_bus_bra(samples, tmp_path):
    top = samples / "bus_bra/BUSBRA"
    report, coco = run("bus_bra", samples / "bus_bra", tmp_path)
    wanted = {
        f"Images/{p.name.replace('mask', 'bus')}": parts(np.asarray(Image.open(p)).astype(bool))
        for p in below(top, "Masks/*.png")
    }
    agree(coco, wanted, tmp_path / "bus_bra/images", top)
    assert report.images == 96
    folds = {
        line.split(",")[0]: line.split(",")[2] for line in (top / "5-fold-cv.csv").read_text().splitlines()
    }
    for image in coco.dataset["images"]:
        assert (image["split"] == "test") == (folds[Path(image["source"]["file"]).stem] == "1")


def test_breast(samples, tmp_path):
    top = samples / "breast/BrEaST-Lesions_USG-images_and_masks"
    _, coco = run("breast", samples / "breast", tmp_path)
    wanted: dict[str, list] = {}
    for path in below(top, "*_*.png"):
        wanted.setdefault(path.name.split("_")[0] + ".png", []).extend(parts(red(path) >= 128))
    agree(coco, wanted)
    names = {c["id"]: c["name"] for c in coco.dataset["categories"]}
    counted = Counter(names[a["category_id"]] for a in coco.dataset["annotations"])
    assert counted["breast_nodule"] == len(below(top, "*_tumor.png"))
    assert counted["other_finding"] == len(below(top, "*_other*.png"))


def test_bus_uclm(samples, tmp_path):
    top = below(samples / "bus_uclm", "**/INFO.csv")[0].parent
    _, coco = run("bus_uclm", samples / "bus_uclm", tmp_path)
    wanted = {
        f"images/{p.name}": parts(np.asarray(Image.open(p).convert("RGB")).any(2))
        for p in below(top, "masks/*")
    }
    agree(coco, wanted, tmp_path / "bus_uclm/images", top)


def test_busi(samples, tmp_path):
    top = samples / "busi/Dataset_BUSI_with_GT"
    report, coco = run("busi", samples / "busi", tmp_path)
    wanted: dict[str, list] = {}
    for path in below(top, "[bm]*/*_mask*.png"):
        key = f"{path.parent.name}/{re.sub(r'_mask.*', '.png', path.name)}"
        wanted.setdefault(key, []).extend(parts(gray(path) >= 128))
    agree(coco, wanted, tmp_path / "busi/images", top)
    assert report.skips["image without foreground"] == 3


def test_ccaui(samples, tmp_path):
    top = samples / "ccaui/Common Carotid Artery Ultrasound Images"
    _, coco = run("ccaui", samples / "ccaui", tmp_path)
    wanted = {f"US images/{p.name}": parts(gray(p) >= 128) for p in below(top, "Expert mask images/*")}
    agree(coco, wanted, tmp_path / "ccaui/images", top)
    sides: dict[str, set] = {}
    for image in coco.dataset["images"]:
        sides.setdefault(image["file_name"].split("VAS")[0], set()).add(image["split"])
    assert len(sides) == 5 and sorted(map(len, sides.values())) == [1] * 5
    assert {"train", "val"} == set.union(*sides.values())


def test_ddti(samples, tmp_path):
    top = samples / "ddti"
    report, coco = run("ddti", top, tmp_path)
    wanted = {f"1_or_data/image/{p.name}": parts(gray(p) >= 128) for p in below(top, "1_or_data/mask/*")}
    agree(coco, wanted, tmp_path / "ddti/images", top)
    assert report.images == 75


def test_ddti_original(samples, tmp_path):
    top = samples / "ddti_original"
    report, coco = run("ddti", top, tmp_path)
    shapes = 0
    for path in below(top, "*.xml"):
        shapes += sum(len(json.loads(t)) for t in re.findall(r"<svg>(.*?)</svg>", path.read_text()) if t)
    assert report.annotations == shapes
    for image in coco.dataset["images"]:
        for annotation in coco.imgToAnns[image["id"]]:
            assert annotation["area"] > 50


def test_fast_u_net(samples, tmp_path):
    top = samples / "fast_u_net"
    report, coco = run("fast_u_net", top, tmp_path)
    wanted = {f"test_data/image/{p.name}": parts(gray(p) >= 128) for p in below(top, "test_data/mask/*")}
    agree(coco, wanted)
    assert len(report.failures) == 412  # the masks in AC_mask.rar, whose images are not at hand
    assert {f["reason"] for f in report.failures} == {"mask without image"}


def test_hc18(samples, tmp_path):
    top = samples / "hc18"
    report, coco = run("hc18", top, tmp_path)
    assert report.images == len(below(top, "training_set/*_Annotation.png")) == 24
    closed = 0
    for image in coco.dataset["images"]:
        (annotation,) = coco.imgToAnns[image["id"]]
        mask = coco.annToMask(annotation).astype(bool)
        outline = gray(top / image["source"]["file"].replace(".png", "_Annotation.png")) > 0
        assert mask[outline].all()
        filled = ndimage.binary_fill_holes(outline)
        if filled.sum() > 1.5 * outline.sum():
            np.testing.assert_array_equal(mask, filled)
            closed += 1
        else:
            assert mask.sum() > 5 * outline.sum()
    assert closed >= 20


def test_kidney_us_labels_with_stand_in_images(samples, tmp_path):
    """The images are not public: blank ones of the masks' sizes take their place."""
    top = samples / "kidneyus/labels/reviewed_masks_1/capsule"
    raw = tmp_path / "raw"
    (raw / "images").mkdir(parents=True)
    (raw / "labels").symlink_to(samples / "kidneyus/labels")
    wanted = {}
    for path in below(top, "*.png"):
        mask = np.asarray(Image.open(path))
        Image.fromarray(np.full(mask.shape, 9, np.uint8)).save(raw / "images" / path.name)
        wanted[f"images/{path.name}"] = parts(mask == 1, lambda area, largest: area < 10)
    report, coco = run("kidney_us", raw, tmp_path / "out")
    agree(coco, wanted)
    assert report.images > 30


def test_mmotu_2d_gives_the_areas_of_the_published_sample(samples, tmp_path):
    top = samples / "mmotu_2d/OTU_2d"
    _, coco = run("mmotu_2d", samples / "mmotu_2d", tmp_path)
    wanted = {}
    for path in below(top, "annotations/*.PNG"):
        mask = np.asarray(Image.open(path).convert("RGB")).any(2)
        wanted[f"images/{path.stem}.JPG"] = parts(
            mask, lambda a, m: (a < 10 and a < 0.01 * m) or a < 0.05 * m
        )
    agree(coco, wanted)
    sample = json.loads((samples / "ultrasam_sample_mmotu_2d/sample_coco_MMOTU2D.json").read_text())
    numbers = (1404, 1083, 1461, 1190, 1095, 1023, 1162, 76, 971, 965)
    ours = {Path(i["source"]["file"]).stem: i["id"] for i in coco.dataset["images"]}
    compared = 0
    for image in sample["images"]:
        number = numbers[int(re.search(r"(\d{5})\.png", image["file_name"])[1])]
        theirs = [a for a in sample["annotations"] if a["image_id"] == image["id"]]
        found = coco.imgToAnns[ours[str(number)]]
        assert sorted(a["area"] for a in found) == sorted(a["area"] for a in theirs)
        for annotation in theirs:
            best = max(
                float(coco_mask.iou([annotation["segmentation"]], [a["segmentation"]], [0])[0, 0])
                for a in found
            )
            assert best == 1.0
            compared += 1
    assert compared == 10


def test_stu_hospital(samples, tmp_path):
    top = samples / "stu_hospital"
    _, coco = run("stu_hospital", top, tmp_path)
    counts = {
        Path(i["source"]["file"]).stem.split("_")[-1]: len(coco.imgToAnns[i["id"]])
        for i in coco.dataset["images"]
    }
    for path in below(top, "Hospital/mask_*.png"):
        mask = gray(path) >= 128
        share = mask.mean()
        (image,) = (
            i for i in coco.dataset["images"] if i["source"]["file"].endswith(f"_{path.stem[5:]}.png")
        )
        assert counts[path.stem[5:]] == ndimage.label(mask, EIGHT)[1] == 1
        assert abs(coco.imgToAnns[image["id"]][0]["area"] / 128**2 - share) < 0.01


def test_tn3k(samples, tmp_path):
    top = samples / "tn3k/Thyroid Dataset/tn3k"
    _, coco = run("tn3k", samples / "tn3k", tmp_path)
    wanted = {f"trainval-image/{p.name}": parts(gray(p) >= 128) for p in below(top, "trainval-mask/*.jpg")}
    agree(coco, wanted)


def test_us_nerve_agrees_with_its_run_lengths(samples, tmp_path):
    top = samples / "us_nerve"
    _, coco = run("us_nerve", top, tmp_path)
    (image,) = coco.dataset["images"]
    subject, number = Path(image["source"]["file"]).stem.split("_")
    rows = (line.split(",") for line in (top / "train_masks.csv").read_text().splitlines())
    runs = next(row[2].split() for row in rows if row[:2] == [subject, number])
    flat = np.zeros(420 * 580, bool)
    for start, length in zip(map(int, runs[::2]), map(int, runs[1::2]), strict=True):
        flat[start - 1 : start - 1 + length] = True
    found = [coco.annToMask(a) for a in coco.imgToAnns[image["id"]]]
    np.testing.assert_array_equal(np.any(found, 0), flat.reshape(580, 420).T)
    assert cv2.imread(str(tmp_path / "us_nerve/images" / image["file_name"]), -1).shape == (420, 580)


def test_rar_masks_of_fast_u_net_are_single_pieces(samples, tmp_path):
    from ultrasam.converters.engine.archive import unpack

    unpack(samples / "fast_u_net/Dataset/AC/AC_mask.rar", tmp_path)
    masks = below(tmp_path, "**/*.png")
    assert len(masks) == 412
    assert all(len(parts(gray(p) >= 128)) == 1 for p in masks[::20])


def as_masks(more: Path, name: str, top: Path, place, write, step: int) -> dict[str, list[np.ndarray]]:
    """Every n-th image of a compact set as its archive has it; gives the objects of each image."""
    content = json.loads((more / f"annotations/{name}.json").read_text())
    wanted = {}
    for image in content["images"][::step]:
        labels = np.zeros((image["height"], image["width"]), np.uint8)
        for annotation in content["annotations"]:
            if annotation["image_id"] == image["id"]:
                labels[coco_mask.decode(annotation["segmentation"]) > 0] = annotation["category_id"]
        file, mask = place(image)
        for path in (top / file, top / mask):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.open(more / "images" / image["file_name"]).save(top / file)
        write(labels, top / mask)
        wanted[file] = [p for value in np.unique(labels[labels > 0]) for p in parts(labels == value)]
    return wanted


def test_usgra_seg(samples, tmp_path):
    """The archive's palette masks, on real pictures of half the size."""

    def place(image):
        stem, folder = Path(image["file_name"]).stem, "test/" if image["split"] == "test" else ""
        return f"{folder}images/{stem}.png", f"{folder}masks/{stem}.png"

    def write(labels, path):
        image = Image.fromarray(labels, "P")
        image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        image.save(path)

    top = tmp_path / "raw/dataset"
    wanted = as_masks(samples.parent / "more", "usgra_seg", top, place, write, 12)
    report, coco = run("usgra_seg", tmp_path / "raw", tmp_path / "out")
    agree(coco, wanted)
    assert report.images == 21 and report.by_split["test"] > 0


def test_dl_track(samples, tmp_path):
    """Thin bands, in the archive's folders."""

    def place(image):
        stem = Path(image["file_name"]).stem
        return f"apo_images/{stem}.tif", f"apo_masks/{stem}.tif"

    def write(labels, path):
        Image.fromarray(np.where(labels > 0, 255, 0).astype(np.uint8)).save(path)

    wanted = as_masks(samples.parent / "more", "dl_track", tmp_path / "raw", place, write, 20)
    report, coco = run("dl_track", tmp_path / "raw", tmp_path / "out")
    agree(coco, wanted)
    assert report.images == 22
