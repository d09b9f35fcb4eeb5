"""What is written for other tools is read back as it was."""

import json

import numpy as np
import pytest

from tests.kit import labels
from ultrasam.data.formats import export_items, exporting, importing


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    labels.write(folder)
    return folder


def back(data, tmp_path, to, **options):
    out = tmp_path / ("out.json" if to == "polygons" else "out")
    done = exporting.export(data / "annotations/all.json", to, out, data / "images", **options)
    assert done.images == 2 and done.objects == 8 and not +done.lost
    inside = to == "yolo"
    return importing.read(out, None if inside else data / "images")


@pytest.mark.parametrize("to", ["yolo", "labelme", "polygons"])
@pytest.mark.parametrize("tolerance", [0.0, exporting.TOLERANCE])
def test_polygons(data, tmp_path, to, tolerance):
    found = labels.of(back(data, tmp_path, to, tolerance=tolerance))
    names = [name.removeprefix("images/train/") for name in found]
    assert sorted(names) == ["deep/two.png", "one.png"]
    for its in found.values():
        assert {name: len(masks) for name, masks in its.items()} == {"lesion": 2, "cyst": 2}
        for name, masks in labels.masks().items():
            for mask, again in zip(masks, its[name], strict=True):
                if tolerance == 0:
                    np.testing.assert_array_equal(again, mask)
                else:
                    assert labels.border_distance(again, mask) <= 1
                    assert (again & mask).sum() / (again | mask).sum() > 0.9


def test_label_maps_of_objects(data, tmp_path):
    found = labels.of(back(data, tmp_path, "png", objects=True))
    assert sorted(found) == ["deep/two.png", "one.png"]
    for its in found.values():
        for name, masks in labels.masks().items():
            np.testing.assert_array_equal(its[name], masks)


def test_label_maps_of_classes_give_connected_parts_or_whole_classes(data, tmp_path):
    found = labels.of(back(data, tmp_path, "png"))
    whole = labels.of(importing.read(tmp_path / "out", data / "images", whole=True))
    for name, masks in labels.masks().items():
        for image in ("one.png", "deep/two.png"):
            np.testing.assert_array_equal(np.any(found[image][name], axis=0), np.any(masks, axis=0))
            np.testing.assert_array_equal(whole[image][name], [np.any(masks, axis=0)])
    # The lesion of two parts is three objects with the ring, the cysts are two.
    assert [len(found["one.png"][name]) for name in ("lesion", "cyst")] == [3, 2]


@pytest.mark.parametrize("objects", [True, False])
def test_nifti_as_its_own_library_reads_it(data, tmp_path, objects):
    nibabel = pytest.importorskip("nibabel")
    content = json.loads((data / "annotations/all.json").read_text())
    content["images"][0]["spacing"] = [0.2, 0.3]
    (tmp_path / "spaced.json").write_text(json.dumps(content))
    exporting.export(tmp_path / "spaced.json", "nifti", tmp_path / "out", data / "images", objects=objects)
    volume = nibabel.load(tmp_path / "out/masks/one.nii.gz")
    assert volume.shape == (labels.W, labels.H, 1) and volume.header.get_zooms() == pytest.approx(
        (0.2, 0.3, 1)
    )
    values = np.asarray(volume.dataobj)[..., 0].T
    its = labels.masks()
    if objects:
        assert (
            json.loads((tmp_path / "out/objects.json").read_text())["masks/one.nii.gz"]
            == ["lesion"] * 2 + ["cyst"] * 2
        )
        for number, mask in enumerate([*its["lesion"], *its["cyst"]], start=1):
            np.testing.assert_array_equal(values == number, mask)
    else:
        assert (tmp_path / "out/classes.txt").read_text() == "lesion\ncyst\n"
        np.testing.assert_array_equal(values == 2, np.any(its["cyst"], axis=0))
    other = nibabel.load(tmp_path / "out/masks/deep/two.nii.gz")
    assert other.header.get_zooms() == (1, 1, 1) and other.header.get_xyzt_units()[0] == "unknown"


def test_what_label_maps_do_not_hold_is_counted(data, tmp_path):
    content = json.loads((data / "annotations/all.json").read_text())
    size = {"height": labels.H, "width": labels.W}
    content["images"] = [{"id": 1, "file_name": "one.png", **size}]
    boxes = [[5, 5, 20, 20], [25, 5, 20, 20], [30, 10, 20, 20]]
    content["annotations"] = [
        {
            "id": i,
            "image_id": 1,
            "category_id": 4,
            "iscrowd": 0,
            "area": 400,
            "bbox": [x, y, w, h],
            "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
        }
        for i, (x, y, w, h) in enumerate(boxes, start=1)
    ]
    (tmp_path / "touching.json").write_text(json.dumps(content))
    done = exporting.export(tmp_path / "touching.json", "png", tmp_path / "out", data / "images")
    assert dict(+done.lost) == {
        "pixels where objects overlap, which the later one got": 15 * 15,
        "objects that touch others of their class and become one with them": 2,
    }
    assert "lost: 225 pixels" in str(done)


def test_names_of_outputs_stay_below_the_folder_and_apart():
    names = [
        "a/b.png",
        "a/b.jpg",
        "../../x.png",
        "/etc/x.png",
        "C:\\u\\y.png",
        "A/c.png",
        "a/C.png",
        "..",
        "a\0b.png",
    ]
    found = export_items.stems(names)
    assert found == ["a/b_png", "a/b_jpg", "x", "etc/x", "C_/u/y", "A/c_png", "a/C_png_2", "image", "a_b"]
