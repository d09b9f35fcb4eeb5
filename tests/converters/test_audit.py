"""Planted near-duplicates are found, distinct images are left alone."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from ultrasam.converters.engine import audit

phantom = pytest.importorskip("ultrasam.phantom")


def drawn(index: int) -> np.ndarray:
    image = phantom.simulate(11, index).image
    return np.ascontiguousarray(image if image.ndim == 2 else image[..., 0])


def jpeg(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


def cropped(image):
    h, w = image.shape
    return image[round(0.05 * h) :, round(0.05 * w) :]


CHANGES = {
    "resized": lambda i: cv2.resize(i, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
    "re-encoded": lambda i: jpeg(i, 40),
    "flipped": lambda i: i[:, ::-1],
    "upside down": lambda i: i[::-1],
    "cropped": cropped,
    "all": lambda i: jpeg(cropped(cv2.resize(i[:, ::-1], None, fx=0.8, fy=0.8)), 70),
}


@pytest.fixture(scope="module")
def pictures():
    return [drawn(i) for i in range(48)]


def plant(folder, pictures, name, split):
    found = []
    for i, picture in enumerate(pictures):
        path = folder / f"{name}{i}.png"
        cv2.imwrite(str(path), picture)
        found.append(audit.Entry(name, path.name, split, f"s{i}", path))
    return found


def test_planted_duplicates_are_found_and_nothing_else(pictures, tmp_path):
    kinds = list(CHANGES.values())
    copies = [kinds[i % len(kinds)](p) for i, p in enumerate(pictures[:24])]
    found = plant(tmp_path, pictures, "a", "train") + plant(tmp_path, copies, "b", "val")
    pairs, unread = audit.near_duplicates(found)
    hits = {(p.first.file_name, p.second.file_name) for p in pairs}
    truth = {(f"a{i}.png", f"b{i}.png") for i in range(24)}
    assert not unread
    assert len(hits & truth) >= 0.95 * len(truth)
    assert not hits - truth
    assert {p.mirrored for p in pairs} == {"", "horizontal", "vertical"}
    dropped = {(d["dataset"], d["file_name"]) for d in audit.to_drop(pairs)}
    assert all(dataset == "a" for dataset, _ in dropped)  # validation stays, training goes
    findings = audit.report(found, pairs, unread, [])
    assert findings["checked"] == {"a": {"train": 48}, "b": {"val": 24}}
    assert json.loads(json.dumps(findings))["pairs"][0]["first"]["file_name"] == pairs[0].first.file_name


def test_the_same_side_is_not_compared(pictures, tmp_path):
    found = plant(tmp_path, [pictures[0], pictures[0]], "a", "train")
    assert audit.near_duplicates(found) == ([], [])


def test_unreadable_images_are_named(pictures, tmp_path):
    found = plant(tmp_path, pictures[:2], "a", "train")
    found[1].path.write_bytes(b"x")
    assert "a1.png" in audit.near_duplicates(found)[1][0]


def test_subjects_on_two_sides(tmp_path):
    entries = [
        audit.Entry("a", f"{i}.png", s, "p", tmp_path) for i, s in enumerate(("train", "val", "held_out"))
    ]
    assert audit.split_subjects(entries) == ["a: subject p is in train, val"]
    assert audit.split_subjects(entries[::2]) == []
