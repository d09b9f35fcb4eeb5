"""Annotations in flat arrays: the same as the JSON file's, shared, and made anew when that changes."""

import json
import logging
import multiprocessing
import os

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ultrasam.data import coco
from ultrasam.data import columns as stored
from ultrasam.errors import DataError

H, W = 40, 60


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/ultrasam/annotations"


def make(folder, images=9, **changes):
    """A COCO file with RLE, run lists and polygons, crowds, empty masks, a space and a Chinese file name."""
    rng = np.random.default_rng(0)
    content = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    }
    for i in range(images):
        name = f"扫描 {i}.png"
        (folder / name).write_bytes(cv2.imencode(".png", np.zeros((H, W), np.uint8))[1].tobytes())
        entry = {"id": 100 - i, "file_name": name, "height": H, "width": W, "dataset": f"set{i % 2}"}
        content["images"].append(entry)
        for j in range(i % 4):
            mask = np.zeros((H, W), np.uint8)
            x, y = (int(v) for v in rng.integers(0, 20, 2))
            mask[y : y + 12, x : x + 20] = 1
            runs = np.diff(np.flatnonzero(np.diff(np.r_[-1, mask.T.ravel().astype(int), -1])))
            segmentation = [
                coco.encode(mask),
                {"size": [H, W], "counts": [*([0] if mask[0, 0] else []), *runs.tolist()]},
                [[x, y, x + 20, y, x + 20, y + 12.5]],
            ][j]
            content["annotations"].append(
                {"id": 7 * i + j, "image_id": 100 - i, "category_id": 1 + j % 2, "bbox": [x, y, 20, 12.25]}
                | {"segmentation": segmentation, "iscrowd": int(i == 3 and j == 1)}
            )
    content.update(changes)
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


def load(path, categories=None):
    return stored.load(path, path.parent, categories, least=0)


def kept(path):
    return sorted(path.parent.glob(".a.json.*.columns"))


def assert_same(columns, content):
    assert len(columns) == len(content.images) and columns.summary == content.summary()
    for index, image in enumerate(content.images):
        found = columns.image(index)
        assert (found.id, found.path, found.size, found.dataset) == (
            image.id,
            image.path,
            image.size,
            image.dataset,
        )
        assert [a["id"] for a in found.annotations] == [a["id"] for a in image.annotations]
        assert np.array_equal(found.boxes(), image.boxes())
        assert np.array_equal(found.masks(), image.masks())


@pytest.mark.parametrize("categories", [None, ["b"]])
def test_arrays_hold_what_the_file_does_made_and_read_again(tmp_path, categories):
    path = make(tmp_path)
    content = coco.load(path, tmp_path, categories)
    assert_same(load(path, categories), content)
    assert len(kept(path)) == 1
    again = load(path, categories)
    assert_same(again, content)
    # What is mapped belongs to no array of this process.
    assert not again.arrays["counts"].flags.owndata and not again.arrays["counts"].flags.writeable


def test_a_file_that_is_there_is_used_and_the_json_file_not_even_read(tmp_path, monkeypatch):
    path = make(tmp_path)
    load(path)
    monkeypatch.setattr(coco, "load", lambda *a: pytest.fail("the JSON file was read"))
    assert len(load(path)) == 6


def test_small_files_leave_nothing_behind(tmp_path):
    path = make(tmp_path)
    assert_same(stored.load(path, tmp_path), coco.load(path, tmp_path))
    assert not kept(path)


def test_a_changed_file_is_read_again(tmp_path):
    path = make(tmp_path)
    before = path.stat()
    load(path)
    text = path.read_text().replace('"set0"', '"set8"')
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))  # same size, a nanosecond later
    assert "set8" in load(path).datasets and len(kept(path)) == 1


def test_choices_of_categories_and_folders_do_not_mix(tmp_path):
    path = make(tmp_path)
    assert load(path).summary != load(path, ["b"]).summary == load(path, ["b"]).summary
    with pytest.raises(DataError, match="images are missing"):
        stored.load(path, tmp_path / "elsewhere", least=0)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:40], lambda b: b"", lambda b: b"x" + b])
def test_a_damaged_file_is_made_anew(tmp_path, damage):
    path = make(tmp_path)
    load(path)
    (file,) = kept(path)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert_same(load(path), coco.load(path, tmp_path))
    assert file.read_bytes() == whole


def test_a_read_only_folder_keeps_them_in_the_cache(tmp_path, cache, monkeypatch):
    path = make(tmp_path)
    replace = os.replace

    def refuse(part, file):  # as a read-only folder does, also to root
        if file.parent == tmp_path:
            raise PermissionError(13, "Permission denied", str(file))
        replace(part, file)

    monkeypatch.setattr(os, "replace", refuse)
    assert_same(load(path), coco.load(path, tmp_path))
    assert not list(tmp_path.glob(".a.json*")) and len(list(cache.rglob("*.columns"))) == 1
    monkeypatch.setattr(coco, "load", lambda *a: pytest.fail("the JSON file was read"))
    assert len(load(path)) == 6


def test_nowhere_to_write_still_works_and_says_so(tmp_path, monkeypatch, caplog):
    path = make(tmp_path)
    monkeypatch.setattr(
        os, "replace", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with caplog.at_level(logging.INFO, logger="ultrasam.data.columns"):
        assert_same(load(path), coco.load(path, tmp_path))
    assert "can be written, so annotations are read anew" in caplog.text
    assert not list(tmp_path.rglob("*.part"))


def test_ids_of_128_bits_are_kept_exactly_and_not_written(tmp_path):
    large = 2**127 + 1
    path = make(tmp_path)
    content = json.loads(path.read_text())
    content["annotations"][0]["id"] = large
    path.write_text(json.dumps(content))
    assert_same(load(path), coco.load(path, tmp_path))
    assert load(path).image(0).annotations[0]["id"] == large and not kept(path)


def test_an_image_that_was_removed_since_is_named(tmp_path):
    path = make(tmp_path)
    missing = load(path).image(2).path
    missing.unlink()
    with pytest.raises(DataError, match=f"1 of 6 images are missing: .*{missing.name}"):
        load(path)


def _start(path, barrier, results):
    real = coco.load
    made = []
    coco.load = lambda *a: made.append(1) or real(*a)
    barrier.wait()
    columns = load(path)
    results.put((len(made), len(columns), [a["id"] for a in columns.image(3).annotations]))


def test_of_processes_that_start_together_one_reads_the_json_file(tmp_path):
    path = make(tmp_path, images=60)
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.Queue()
    processes = [context.Process(target=_start, args=(path, barrier, results)) for _ in range(4)]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(made for made, *_ in found) == 1
    assert len({str(rest) for _, *rest in found}) == 1
    assert len(kept(path)) == 1 and not list(tmp_path.glob("*.part"))


def test_masks_are_what_pycocotools_makes_of_the_file(tmp_path):
    path = make(tmp_path)
    content = json.loads(path.read_text())
    by_id = {a["id"]: a["segmentation"] for a in content["annotations"]}
    columns = load(path)
    count = 0
    for index in range(len(columns)):
        image = columns.image(index)
        for annotation, mask in zip(image.annotations, image.masks(), strict=True):
            truth = by_id[annotation["id"]]
            if isinstance(truth, list):
                truth = coco_mask.merge(coco_mask.frPyObjects(truth, H, W))
            elif isinstance(truth["counts"], list):
                truth = coco_mask.frPyObjects(truth, H, W)
            assert np.array_equal(mask, coco_mask.decode(truth).astype(bool))
            count += 1
    assert count > 10
