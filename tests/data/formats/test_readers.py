"""Files as other tools write them, read as those draw them."""

import json

import cv2
import numpy as np
import pytest

from tests.kit import label_files, labels
from ultrasam.data.formats import importing
from ultrasam.errors import DataError

KINDS = ("labelme", "via", "label studio", "cvat", "yolo", "masks")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind(kind, tmp_path):
    found = importing.read(label_files.write(kind, tmp_path))
    assert found.kind == kind and found.folder == tmp_path
    its = labels.of(found)["a.png"]
    square, ring = label_files.square(), label_files.ring()
    if kind == "masks":
        np.testing.assert_array_equal(its["object"], [ring])
        return
    np.testing.assert_array_equal(its["lesion"][0], square)
    told = found.summary()
    assert "1 boxes" in told
    if kind == "yolo":
        assert [c["name"] for c in found.content["categories"]] == ["cyst", "lesion"]
        return
    assert "1 points and lines" in told
    y, x = np.mgrid[: label_files.H, : label_files.W] + 0.5
    disc = np.hypot(x - 6, y - 4.5)
    if kind == "via":
        round_one = its["lesion"][1]
    else:
        assert len(its["cyst"]) == 2
        np.testing.assert_array_equal(its["cyst"][0], ring)
        round_one = its["cyst"][1]
    # Whose half axes are 3 and 3, however turned.
    assert round_one[disc < 2.6].all() and not round_one[disc > 3.4].any()


def test_turned_ellipses(tmp_path):
    """In percent and degrees, in pixels and radians: clockwise as one sees them."""
    content = label_files.label_studio()
    value = content[0]["annotations"][1]["result"][2]["value"]
    value.update(radiusX=40, radiusY=100 / 9, rotation=30)
    label_files.image(tmp_path)
    (tmp_path / "ls.json").write_text(json.dumps(content))
    studio = labels.of(importing.read(tmp_path / "ls.json"))["a.png"]["cyst"][1]
    drawn = np.zeros((label_files.H * 16, label_files.W * 16), np.uint8)
    cv2.ellipse(drawn, (6 * 16, 72), (int(4.8 * 16), 16), 30, 0, 360, 1, -1)
    inside = cv2.resize(
        drawn.astype(np.float32), (label_files.W, label_files.H), interpolation=cv2.INTER_AREA
    )
    assert (studio == (inside > 0.5)).mean() > 0.97 and studio[inside > 0.9].all()
    content = label_files.via()
    ellipse = content["a.png123"]["regions"][1]["shape_attributes"]
    ellipse.update(rx=4.8, ry=1, theta=np.pi / 6)
    (tmp_path / "via.json").write_text(json.dumps(content))
    np.testing.assert_array_equal(
        labels.of(importing.read(tmp_path / "via.json"))["a.png"]["lesion"][1], studio
    )


def test_what_is_left_out_is_counted(tmp_path):
    told = importing.read(label_files.write("label studio", tmp_path)).left_out
    assert dict(+told) == {
        "annotations that were cancelled": 1,
        "further annotations of an image, of which the last counts": 1,
        "boxes, which are no masks ('ultrasam predict --prompts' makes masks of boxes)": 1,
        "points and lines, which have no area": 1,
        "results that mark no region, such as choices and texts": 1,
    }


def test_label_studios_small_export_and_regions_apart_from_their_classes(tmp_path):
    label_files.image(tmp_path)
    results = label_files.label_studio()[0]["annotations"][1]["result"]
    size = {key: results[0][key] for key in ("original_width", "original_height")}
    small = [{"id": 1, "image": "a.png", "label": [{**results[0]["value"], **size}], "annotator": 1}]
    (tmp_path / "min.json").write_text(json.dumps(small))
    region = {
        **results[0],
        "type": "polygon",
        "value": {k: results[0]["value"][k] for k in ("points", "closed")},
    }
    named = {**results[0], "type": "labels", "value": {"labels": ["lesion"], **region["value"]}}
    apart = [{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [region]}]}]
    for content, label in ((small, "lesion"), (apart, "object")):
        (tmp_path / "min.json").write_text(json.dumps(content))
        (mask,) = labels.of(importing.read(tmp_path / "min.json"))["a.png"][label]
        np.testing.assert_array_equal(mask, label_files.square())
    apart[0]["annotations"][0]["result"] = [named]
    (tmp_path / "min.json").write_text(json.dumps(apart))
    assert list(labels.of(importing.read(tmp_path / "min.json"))["a.png"]) == ["lesion"]


def test_groups_are_one_object(tmp_path):
    content = label_files.labelme()
    content["shapes"] = [{**shape, "label": "lesion", "group_id": 5} for shape in content["shapes"][:2]]
    content["shapes"].append({**content["shapes"][0], "group_id": 6})
    label_files.image(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps(content))
    (first, second) = labels.of(importing.read(tmp_path))["a.png"]["lesion"]
    np.testing.assert_array_equal(first, label_files.square())
    np.testing.assert_array_equal(second, label_files.square())


def test_a_tree_of_labelme_files_finds_its_own_images(tmp_path):
    for name in ("p1", "p2"):
        label_files.write("labelme", tmp_path / name)
    found = importing.read(tmp_path)
    assert sorted(labels.of(found)) == ["p1/a.png", "p2/a.png"]


def test_frames_of_a_cvat_video(tmp_path):
    points = ";".join(f"{x},{y}" for x, y in label_files.pairs())
    frames = "".join(
        f'<polygon frame="{i}" keyframe="1" outside="{i // 2}" points="{points}"></polygon>' for i in range(3)
    )
    size = f"<original_size><width>{label_files.W}</width><height>{label_files.H}</height></original_size>"
    track = f'<track id="0" label="lesion">{frames}</track>'
    text = f"<annotations><meta><task>{size}</task></meta>{track}</annotations>"
    (tmp_path / "video.xml").write_text(text)
    for i in range(3):
        label_files.image(tmp_path, f"images/frame_{i:06d}.PNG")
    found = importing.read(tmp_path / "video.xml")
    assert list(labels.of(found)) == ["images/frame_000000.PNG", "images/frame_000001.PNG"]
    assert [entry["frame"] for entry in found.content["images"]] == [0, 1]


@pytest.mark.parametrize("layout", ["folders", "suffix", "many"])
def test_layouts_of_mask_folders(tmp_path, layout):
    mask = label_files.ring().astype(np.uint8)
    label_files.image(tmp_path, "images/p/a.png" if layout == "folders" else "p/a.png")
    names = {
        "folders": ["masks/p/a.png"],
        "suffix": ["p/a_mask.png"],
        "many": ["p/a_mask.png", "p/a_mask_1.png"],
    }
    for name in names[layout]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), mask)
    ((name, its),) = labels.of(importing.read(tmp_path)).items()
    assert name.endswith("p/a.png")
    np.testing.assert_array_equal(its["object"], [mask.astype(bool)] * len(names[layout]))


def test_values_of_label_maps(tmp_path):
    from PIL import Image

    values = np.zeros((label_files.H, label_files.W), np.uint8)
    values[1:3, 1:4], values[5:8, 2:6], values[0, 8:] = 1, 2, 255
    palette = Image.fromarray(values, "P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, *[9] * 759])
    label_files.image(tmp_path, "images/a.png")
    label_files.image(tmp_path, "images/b.png")
    (tmp_path / "masks").mkdir()
    palette.save(tmp_path / "masks/a.png")
    cv2.imwrite(str(tmp_path / "masks/b.png"), np.where(values == 255, 0, values).astype(np.uint16))
    (tmp_path / "classes.txt").write_text("nodule\ncyst\n")
    found = importing.read(tmp_path)
    for its in labels.of(found).values():
        np.testing.assert_array_equal(its["nodule"], [values == 1])
        np.testing.assert_array_equal(its["cyst"], [values == 2])
    assert "255, which marks what is to be ignored" in found.summary()
    (tmp_path / "classes.txt").unlink()
    assert {name for its in labels.of(importing.read(tmp_path)).values() for name in its} == {
        "class 1",
        "class 2",
    }
    (tmp_path / "classes.txt").write_text("nodule\n")
    with pytest.raises(DataError, match="value 2, classes.txt names 1 classes"):
        importing.read(tmp_path)


def test_coco_as_cvat_and_others_export_it(tmp_path):
    path = labels.write(tmp_path)
    content = json.loads(path.read_text())
    content["images"][0].update(file_name="D:\\mine\\images\\one.png", mine=7)
    content["info"] = {"by": "somebody"}
    path.write_text(json.dumps(content))
    for source in (tmp_path, path):
        found = importing.read(source)
        entry = found.content["images"][0]
        assert (
            entry["file_name"] == "images/one.png"
            and entry["mine"] == 7
            and found.content["info"] == content["info"]
        )
        assert found.content["annotations"] == content["annotations"]
        assert "2 image files found by another spelling" in found.summary()


def test_images_elsewhere_and_missing_ones(tmp_path):
    source = label_files.write("labelme", tmp_path / "labels")
    (tmp_path / "labels/a.png").rename(tmp_path / "other.png")
    found = importing.read(source)
    assert (
        found.content["images"][0]["file_name"] == "a.png"
        and "1 images that are not below" in found.summary()
    )
    label_files.image(tmp_path, "pictures/deep/A.PNG")
    assert importing.read(source, tmp_path / "pictures").content["images"][0]["file_name"] == "deep/A.PNG"
    with pytest.raises(DataError, match="no image folder"):
        importing.read(source, tmp_path / "nowhere")
    cv2.imwrite(str(tmp_path / "pictures/deep/A.PNG"), np.zeros((5, 5), np.uint8))
    with pytest.raises(DataError, match=r"says 12 x 9 pixels, .*A.PNG has 5 x 5"):
        importing.read(source, tmp_path / "pictures")
