"""What is written for Hugging Face and Croissant, as their own libraries read it."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.kit import labels
from ultrasam.data.formats import exporting, parquet
from ultrasam.data.formats.credits import Credit, credits_of
from ultrasam.errors import DataError

pytest.importorskip("pyarrow", reason="pyarrow (extra 'publish') is not installed")
datasets = pytest.importorskip("datasets", reason="datasets (extra 'publish') is not installed")
mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant (extra 'publish') is not installed")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four images, one of them to validate on, from two data sets; two Parquet files of the rest."""
    folder = tmp_path_factory.mktemp("made")
    labels.write(folder)
    path = folder / "annotations/all.json"
    content = json.loads(path.read_text())
    content["info"] = {
        "description": "Made up",
        "dataset": "mine",
        "licence": "CC BY 4.0",
        "citation": "Doe 2020",
    }
    content["images"][0] |= {"split": "val", "subject": "p1"}
    content["images"][1] |= {"dataset": "busi"}
    more = [{**content["images"][1], "id": 100 + i, "dataset": "mine"} for i in range(2)]
    content["images"] += more
    path.write_text(json.dumps(content))
    done = exporting.export(path, "parquet", folder / "out", folder / "images", shard_size=5000)
    assert done.images == 4 and done.objects == 8 and not +done.lost
    return folder / "out", content, folder / "images"


@pytest.fixture(scope="module")
def loaded(made, tmp_path_factory):
    return datasets.load_dataset(str(made[0]), cache_dir=str(tmp_path_factory.mktemp("cache")))


def test_as_hugging_face_reads_it(made, loaded):
    _, content, images = made
    assert {part: len(rows) for part, rows in loaded.items()} == {"train": 3, "validation": 1}
    rows = {row["image_id"]: row for part in loaded.values() for row in part}
    entries = {str(entry["id"]): entry for entry in content["images"]}
    assert rows.keys() == entries.keys()
    names = loaded["train"].features["objects"].feature["category"].names
    for key, row in rows.items():
        entry = entries[key]
        expected = np.array(Image.open(images / entry["file_name"]))
        np.testing.assert_array_equal(np.array(row["image"]), expected)
        assert (row["height"], row["width"]) == expected.shape[:2] == (labels.H, labels.W)
        assert row["subject"] == entry.get("subject") and row["dataset"] == entry.get("dataset")
        its = {}
        for shape in row["objects"]:
            its.setdefault(names[shape["category"]], []).append(np.array(shape["mask"]) > 0)
            ys, xs = np.nonzero(its[names[shape["category"]]][-1])
            assert shape["area"] == len(xs)
            assert shape["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
        if int(key) >= 100:
            assert its == {}
        else:
            for name, masks in labels.masks().items():
                np.testing.assert_array_equal(its[name], masks)


def test_the_card_says_whose_data_they_are(made):
    text = (made[0] / "README.md").read_text()
    from huggingface_hub import DatasetCard

    card = DatasetCard(text)
    # BUSI's license is not stated by its source: no one word fits both.
    assert card.data.license == "other" and card.data.pretty_name == "Made up"
    assert [entry["split"] for entry in card.data.configs[0]["data_files"]] == ["train", "validation"]
    assert "license: CC BY 4.0" in text and "cite: Doe 2020" in text and "**busi: " in text


def test_croissant_is_valid_and_gives_the_rows(made, loaded):
    dataset = mlcroissant.Dataset(made[0] / "croissant.json")
    issues = dataset.metadata.issues
    assert not issues.errors
    # When and in which version a user publishes it, nobody knows here.
    assert all("datePublished" in text or "schema.org/version" in text for text in issues.warnings)
    assert "Doe 2020" in dataset.metadata.cite_as and "CC BY 4.0" in dataset.metadata.license
    found = {record["images/image_id"].decode(): record for record in dataset.records("images")}
    rows = {row["image_id"]: row for part in loaded.values() for row in part}
    assert found.keys() == rows.keys()
    for key, record in found.items():
        np.testing.assert_array_equal(np.array(record["images/image"]), np.array(rows[key]["image"]))


def test_parquet_files_of_somebody_stay(tmp_path):
    labels.write(tmp_path)
    path = tmp_path / "annotations/all.json"
    for name in ("mine", "train-00009"):
        (tmp_path / "out/data").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"out/data/{name}.parquet").write_bytes(b"of somebody")
    exporting.export(path, "parquet", tmp_path / "out", tmp_path / "images")
    assert sorted(p.name for p in (tmp_path / "out/data").iterdir()) == [
        "mine.parquet",
        "train-00000.parquet",
    ]


def test_a_missing_image_is_an_error(made, tmp_path):
    with pytest.raises(DataError, match="4 images are missing"):
        exporting.export(made[0].parent / "annotations/all.json", "parquet", tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (["CC BY 4.0"], "cc-by-4.0"),
        (["CC BY-NC-SA 4.0", "CC BY-NC-SA 4.0"], "cc-by-nc-sa-4.0"),
        (["CC0 1.0"], "cc0-1.0"),
        (["Apache-2.0"], "apache-2.0"),
        (["not stated"], "unknown"),
        (["research use only"], "other"),
        (["CC BY 4.0", "MIT"], "other"),
    ],
)
def test_hugging_faces_word_for_a_license(said, word):
    assert parquet.hub_license([Credit("a", license=text) for text in said]) == word


def test_credits_of_a_file_that_joins_others():
    """What a file says of itself is of its own data set; others are known, or nothing is."""
    images = [{"dataset": name} for name in ("hc18", "mine", "strange", "hc18")]
    content = {"images": images, "info": {"dataset": "mine", "license": "MIT"}}
    by_name = {credit.dataset: credit for credit in credits_of(content)}
    assert list(by_name) == ["hc18", "mine", "strange"]
    assert by_name["hc18"].license == "CC BY 4.0" and "van den Heuvel" in by_name["hc18"].citation
    assert by_name["mine"].license == "MIT" and by_name["strange"].license == "not stated"
    coco_style = {"images": [{}], "licenses": [{"id": 1, "name": "Attribution License"}]}
    assert credits_of(coco_style) == [Credit("", license="Attribution License")]
