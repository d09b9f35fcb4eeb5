"""Shards hold what the COCO file says, and nothing else is ever taken for it."""

import hashlib
import json
import shutil
import tarfile
from zlib import crc32

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from ultrasam.cli import main
from ultrasam.data import coco
from ultrasam.data.formats import exporting
from ultrasam.data.images import read_image, write_image
from ultrasam.data.shards.shard_reading import ShardStore, ShardStores
from ultrasam.data.shards.stored_pixels import restore
from ultrasam.errors import DataError

SHARD = 40_000


def written(data, out, **options):
    source = data / "annotations/train.agnostic.json"
    done = exporting.export(source, "webdataset", out, data / "images", shard_size=SHARD, **options)
    return source, done


@pytest.fixture(scope="module")
def shards(phantom_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("shards") / "train"
    source, done = written(phantom_data, out)
    return out, source, done


@pytest.fixture
def copy(shards, tmp_path):
    return shutil.copytree(shards[0], tmp_path / "train")


def test_what_is_there_is_what_the_coco_file_says(shards, phantom_data):
    out, source, done = shards
    content = coco.load(source, phantom_data / "images")
    store = ShardStore(out)
    assert len(store) == done.images >= len(content.images) > 20
    assert done.objects == sum(len(image.annotations) for image in content.images) and not +done.lost
    assert len(store.index.shards) > 3 and len(store.with_objects) == len(content.images)
    # In any order, of any shards.
    order = store.with_objects[::-1].tolist()
    for image, sample in zip(content.images[::-1], store.read(order), strict=True):
        assert sample.entry == image.entry and sample.ending == ".pgm"
        np.testing.assert_array_equal(
            restore(sample.ending, sample.pixels, image.size, ""), read_image(image.path)
        )
        for ours, theirs in zip(sample.annotations, image.annotations, strict=True):
            assert ours["category"] == "object" and {k: ours[k] for k in ("id", "bbox", "area")} == {
                k: theirs[k] for k in ("id", "bbox", "area")
            }
            np.testing.assert_array_equal(
                coco_mask.decode(ours["segmentation"]), coco_mask.decode(theirs["segmentation"])
            )


def test_the_index_counts_and_knows_checksums(shards):
    out, _, done = shards
    index = json.loads((out / "index.json").read_text())
    assert index["samples"] == done.images and index["objects"] == done.objects
    assert index["credits"][0]["license"] == "Apache-2.0" and index["credits"][0]["dataset"] == "phantom"
    keys = []
    for shard in index["shards"]:
        path = out / shard["name"]
        assert path.stat().st_size == shard["bytes"] <= SHARD + 12_000
        assert hashlib.sha256(path.read_bytes()).hexdigest() == shard["sha256"]
        with tarfile.open(path) as tar:
            names = tar.getnames()
        assert len(names) == 2 * shard["samples"]
        keys += [name.split(".")[0] for name in names[::2]]
    assert keys == [f"{number:09d}" for number in range(done.images)]


def test_the_same_data_give_the_same_bytes(shards, phantom_data, tmp_path):
    written(phantom_data, tmp_path / "again")
    for path in shards[0].iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_as_webdataset_reads_it(shards, phantom_data):
    webdataset = pytest.importorskip("webdataset", reason="webdataset (extra 'publish') is not installed")
    out, source, done = shards
    found = list(
        webdataset.WebDataset(sorted(map(str, out.glob("*.tar"))), shardshuffle=False).decode("rgb8")
    )
    assert len(found) == done.images
    for sample in found:
        entry = sample["json"]["image"]
        np.testing.assert_array_equal(sample["pgm"], read_image(phantom_data / "images" / entry["file_name"]))
        for annotation in sample["json"]["annotations"]:
            assert coco_mask.decode(annotation["segmentation"]).sum() == annotation["area"]


def pictures(folder):
    """A color PNG, a gray one, a JPEG with equal channels, a gray one, and a TIFF, with an object each."""
    rng = np.random.default_rng(0)
    gray = cv2.GaussianBlur(rng.integers(0, 256, (30, 41), np.uint8), (0, 0), 2)
    color = rng.integers(0, 256, (30, 41, 3), np.uint8)
    (folder / "images").mkdir(parents=True)
    write_image(folder / "images/color.png", color)
    Image.fromarray(gray).save(folder / "images/gray.png")
    Image.fromarray(np.repeat(gray[..., None], 3, 2)).save(folder / "images/equal.jpg", quality=90)
    Image.fromarray(gray).save(folder / "images/gray.jpeg", quality=90)
    Image.fromarray(gray).save(folder / "images/page.tif")
    names = sorted(path.name for path in (folder / "images").iterdir())
    images = [{"id": i, "file_name": name, "height": 30, "width": 41} for i, name in enumerate(names, 1)]
    shape = {"category_id": 3, "bbox": [4, 5, 10, 8], "area": 80, "iscrowd": 0}
    outline = [[4, 5, 14, 5, 14, 13, 4, 13]]
    annotations = [{"id": i, "image_id": i, **shape, "segmentation": outline} for i in range(1, 6)]
    info = {"licence": "CC BY 4.0", "citation": "Doe et al. 2020", "dataset": "mine"}
    content = {"info": info, "images": images, "annotations": annotations}
    (folder / "mine.json").write_text(json.dumps({**content, "categories": [{"id": 3, "name": "cyst"}]}))
    return folder / "mine.json"


@pytest.mark.parametrize(
    ("pixels", "endings"),
    [("raw", [".ppm", ".pgm", ".pgm", ".pgm", ".pgm"]), ("file", [".png", ".jpg", ".jpg", ".png", ".png"])],
)
def test_every_kind_of_image_is_the_same(tmp_path, pixels, endings):
    source = pictures(tmp_path)
    exporting.export(source, "webdataset", tmp_path / "out", tmp_path / "images", pixels=pixels)
    store = ShardStore(tmp_path / "out")
    samples = store.read(range(5))
    assert [sample.ending for sample in samples] == endings
    for sample in samples:
        expected = read_image(tmp_path / "images" / sample.entry["file_name"])
        image = restore(sample.ending, sample.pixels, (30, 41), "")
        np.testing.assert_array_equal(image, expected)
        assert image.flags.writeable
        view = restore(sample.ending, sample.pixels, (30, 41), "", gray_view=True)
        np.testing.assert_array_equal(view, expected)
        with pytest.raises(DataError, match="41 x 30 pixels, its COCO file says 30 x 41"):
            restore(sample.ending, sample.pixels, (41, 30), "")
    said = store.index.about["credits"]
    assert said == [
        {
            "dataset": "mine",
            "title": "",
            "license": "CC BY 4.0",
            "citation": "Doe et al. 2020",
            "url": "",
        }
    ]


def test_a_damaged_image_leaves_no_index(tmp_path):
    source = pictures(tmp_path)
    out = tmp_path / "out"
    exporting.export(source, "webdataset", out, tmp_path / "images")
    path = tmp_path / "images/gray.png"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="gray.png is not a readable image"):
        exporting.export(source, "webdataset", out, tmp_path / "images")
    with pytest.raises(DataError, match=r"out is no whole set of shards: index\.json is not there"):
        ShardStore(out)


def test_fewer_shards_leave_none_of_the_earlier_ones(copy, tmp_path):
    source = pictures(tmp_path / "few")
    (copy / "shard-mine.tar").write_bytes(b"of somebody")
    exporting.export(source, "webdataset", copy, tmp_path / "few/images")
    names = ["index.json", "samples.bin", "shard-000000.tar", "shard-mine.tar"]
    assert sorted(path.name for path in copy.iterdir()) == names


def edited(**changes):
    def edit(folder):
        path = folder / "index.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


def outside(folder):
    content = json.loads((folder / "index.json").read_text())
    content["shards"][0]["name"] = "../shard-000000.tar"
    (folder / "index.json").write_text(json.dumps(content))


def sized(size):
    def edit(folder):
        content = json.loads((folder / "index.json").read_text())
        content["shards"][0]["bytes"] = size
        (folder / "index.json").write_text(json.dumps(content))

    return edit


def cut(name, size=1000):
    def edit(folder):
        path = folder / name
        path.write_bytes(path.read_bytes()[:-size])

    return edit


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "shard-000002.tar").unlink(), r"shard-000002\.tar is missing"),
        (cut("shard-000001.tar"), r"shard-000001\.tar has [\d,]+ of its [\d,]+ bytes: it was cut off"),
        (cut("samples.bin", 24), r"samples\.bin is damaged, or of other shards"),
        (cut("index.json", 5), r"index\.json is no index of shards, or damaged"),
        (
            lambda folder: (folder / "index.json").unlink(),
            r"index\.json is not there, and it is written last",
        ),
        (lambda folder: (folder / "index.json").write_text("[1]"), "is no index of shards"),
        (edited(ultrasam_shards=2), r"index\.json is of version 2, and version 1 is read here: write"),
        (edited(shards=[]), "shards and samples contradict each other"),
        (edited(shards=[{"name": 3}]), "damaged: .* among its shards"),
        (edited(samples=1), "contradict each other"),
        (sized(-5), "contradict each other"),
        (sized(10**30), "contradict each other"),
        (lambda folder: (folder / "index.json").write_text("[" * 99_999), "is no index of shards"),
        (outside, "contradict each other"),
    ],
)
def test_what_is_not_whole_is_not_opened(copy, spoil, said):
    spoil(copy)
    with pytest.raises(DataError, match=said) as caught:
        ShardStore(copy)
    assert str(copy) in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: data[:9000], r"shard-000000\.tar at \d+: the shard is cut off: \d+ of \d+ bytes"),
        (
            lambda data: data[:9000] + bytes(len(data) - 9000),
            r"shard-000000\.tar at \d+: .* checksum differs",
        ),
        (lambda data: None, r"shard-000000\.tar is missing"),
    ],
)
def test_what_happens_to_a_shard_in_the_middle_of_a_training(copy, spoil, said):
    store = ShardStore(copy)
    path = copy / "shard-000000.tar"
    data = spoil(path.read_bytes())
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(DataError, match=said):
        store.read(range(store.index.shards[0].samples))
    # Another shard is read as before.
    assert len(store.read([len(store) - 1])) == 1


def test_places_that_nothing_can_be_read_from(tmp_path):
    with pytest.raises(DataError, match="nowhere is no whole set of shards"):
        ShardStore(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"nosuch://bucket/x can't be read: .*'ultrasam\[cloud\]'"):
        ShardStore("nosuch://bucket/x")


def test_several_folders_are_one(shards, phantom_data, tmp_path):
    for name, part in (("b", "train.agnostic"), ("a", "val")):
        source = phantom_data / f"annotations/{part}.json"
        exporting.export(source, "webdataset", tmp_path / name / "train", phantom_data / "images")
    stores = ShardStores(f"{tmp_path}/*/train")
    first, second = (ShardStore(tmp_path / name / "train") for name in "ab")
    count = len(first)
    assert stores.with_objects.tolist() == [*first.with_objects, *(second.with_objects + count)]
    numbers = [count + 3, 0, count - 1, count, count + 1]
    expected = [second.read([3])[0], *first.read([0, count - 1]), *second.read([0, 1])]
    assert [sample.entry for sample in stores.read(numbers)] == [sample.entry for sample in expected]
    assert len(stores.summary().splitlines()) == 2
    with pytest.raises(DataError, match=r"there are no shards at .*/\*/test"):
        ShardStores(f"{tmp_path}/*/test")


def test_a_sample_that_is_none(copy):
    """Its checksum is right, but somebody else wrote it."""
    store = ShardStore(copy)
    row = store.index.rows[0]
    data = b"x" * int(row["bytes"])
    changed = row.copy()
    changed["crc"] = crc32(data)
    with pytest.raises(DataError, match="no sample of shards"):
        store._sample("shard-000000.tar", changed, data)


def test_the_commands(phantom_data, tmp_path, capsys):
    source = str(phantom_data / "annotations/val.json")
    out = tmp_path / "out"
    command = ["data", "export", source, "--to", "webdataset", "--out", str(out)]
    command += ["--images", str(phantom_data / "images"), "--shard-size", "1", "--pixels", "file"]
    assert main(command) == 0 and "images with" in capsys.readouterr().out
    assert main(["data", "check", str(out)]) == 0 and "1 shards of" in (said := capsys.readouterr().out)
    assert said.endswith("no problem\n")
    path = out / "shard-000000.tar"
    path.write_bytes(path.read_bytes()[:-4] + b"abcd")
    assert main(["data", "check", str(out)]) == 1
    assert "shard-000000.tar is damaged: its checksum differs" in capsys.readouterr().out
    assert main([*command[:-3], "0"]) == 2 and "1 MiB or more" in capsys.readouterr().err
