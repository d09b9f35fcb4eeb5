"""Image files of every kind that OpenCV writes, and those that are refused."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from ultrasam.converters.engine import read
from ultrasam.converters.engine.errors import CaseError
from ultrasam.converters.engine.validate import check

from ultrasam.data.boxes import tight_boxes
from ultrasam.data.images import MAX_PIXELS, mirror, read_as_stated, read_header, read_image, write_image
from ultrasam.errors import DataError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels(tmp_path, channels):
    image = RNG.integers(0, 255, (20, 30, channels), dtype=np.uint8)
    path = tmp_path / "超声 image.png"
    cv2.imencode(".png", image)[1].tofile(path)
    found = read_image(path)
    assert found.shape == (20, 30, 3) and found.dtype == np.uint8
    expected = np.repeat(image, 3, 2) if channels == 1 else image[:, :, 2::-1]
    assert np.array_equal(found, expected)


def test_written_and_read(tmp_path):
    image = RNG.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    write_image(tmp_path / "new" / "a.png", image)
    assert np.array_equal(read_image(tmp_path / "new" / "a.png"), image)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "not a readable image"), (b"nonsense", "not a readable image"), (None, "cannot read the image")],
)
def test_unreadable(tmp_path, content, words):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        read_image(path)
    assert "a.png" in str(error.value)


def test_sixteen_bits_are_refused_with_the_remedy(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((5, 5), 3000, np.uint16))
    with pytest.raises(DataError, match="16 bits a sample.*8 bits first"):
        read_image(path)


@pytest.mark.parametrize("gray", [False, True])
def test_a_mirrored_sample_is_mirrored_in_all_its_parts(gray):
    image = RNG.integers(0, 255, (6, 9, 1 if gray else 3), dtype=np.uint8)
    image = np.broadcast_to(image, (6, 9, 3))
    mask = np.zeros((6, 9), bool)
    mask[1:3, 5:8] = True
    boxes = np.array([[5.0, 1, 8, 3]])
    flipped, masks, moved = mirror(image, [mask], boxes)
    assert np.array_equal(flipped, image[:, ::-1]) and (flipped.strides[2] == 0) == gray
    assert np.array_equal(masks[0], mask[:, ::-1]) and masks[0].dtype == bool
    assert moved.tolist() == [[1, 1, 4, 3]] == tight_boxes(masks).tolist() and boxes[0, 0] == 5


def oriented(path, orientation, shape=(24, 40)):
    """A picture without symmetry, stored with an EXIF orientation."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    stored = np.stack([x * 6, y * 9, (x < 8) * 200], axis=2).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = (
        {"lossless": True} if path.suffix == ".webp" else {"quality": 98} if path.suffix == ".jpg" else {}
    )
    Image.fromarray(stored).save(path, exif=exif, **options)
    with Image.open(path) as opened:
        return stored, np.asarray(ImageOps.exif_transpose(opened).convert("RGB")).astype(int)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("end", ["jpg", "png", "webp", "tif"])
def test_pictures_stand_upright_as_pillow_turns_them(tmp_path, end, orientation):
    path = tmp_path / f"a.{end}"
    _, upright = oriented(path, orientation)
    found = read_image(path)
    assert found.shape == upright.shape and np.abs(found - upright).max() < 8
    assert np.array_equal(read.image(path), found)
    assert read_header(path).size == upright.shape[:2]


def test_exif_behind_the_pixels_of_a_png(tmp_path):
    path = tmp_path / "a.png"
    _, upright = oriented(path, 6)
    data = path.read_bytes()
    at = data.index(b"eXIf") - 4
    length = 12 + int.from_bytes(data[at : at + 4], "big")
    end = data.index(b"IEND") - 4
    path.write_bytes(data[:at] + data[at + length : end] + data[at : at + length] + data[end:])
    assert np.array_equal(read_image(path), upright)


def test_sizes_are_compared_upright(tmp_path):
    path = tmp_path / "a.jpg"
    oriented(path, 6)
    entry = {"id": 1, "file_name": "a.jpg", "height": 40, "width": 24}
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 2, 4, 4]}
    annotation["segmentation"] = [[2, 2, 6, 2, 6, 6, 2, 6]]
    coco = {"images": [entry], "annotations": [annotation], "categories": [{"id": 1, "name": "x"}]}
    assert read_as_stated(path, (40, 24), "image 1").shape == (40, 24, 3) and check(coco, tmp_path) == []
    with pytest.raises(DataError, match=r"24 x 40.*says 40 x 24.*stored.*does not obey EXIF.*\(image 1\)"):
        read_as_stated(path, (24, 40), "image 1")
    entry |= {"height": 24, "width": 40}
    assert "does not obey EXIF" in check(coco, tmp_path)[0].message
    with pytest.raises(DataError, match="says 41 x 24") as error:
        read_as_stated(path, (24, 41), "image 1")
    assert "EXIF" not in str(error.value)


def png_header(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


HUGE = {
    "a.png": png_header(40000, 40000),
    "b.png": png_header(2**31 - 1, 1),
    "a.bmp": b"BM" + struct.pack("<IIIIiiHHIIiiII", 100, 0, 54, 40, 40000, 40000, 1, 24, 0, 0, 1, 1, 0, 0),
    "a.pgm": b"P5 40000 40000 255\n" + bytes(99),
    "a.gif": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
    + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02D\x01\x00;",
    "a.webp": b"RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00" + bytes(4) + b"\xff\xff\x00" * 2,
    "a.tif": b"II*\0" + struct.pack("<IHHHIIHHIII", 8, 2, 256, 4, 1, 40000, 257, 4, 1, 40000, 0),
    "a.jpg": b"\xff\xd8\xff\xc0\x00\x0b\x08" + struct.pack(">HHB", 65000, 65000, 1) + b"\1\x11\0"
    + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + bytes(50) + b"\xff\xd9",
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_huge_headers_are_refused_before_decoding(tmp_path, name, monkeypatch):
    path = tmp_path / name
    path.write_bytes(HUGE[name])
    monkeypatch.setattr(cv2, "imdecode", lambda *a: pytest.fail("it was decoded"))
    with pytest.raises(DataError, match=f"{name}.*pixels"):
        read_image(path)
    with pytest.raises(CaseError, match=f"{name}.*pixels"):
        read.image(path)


def test_the_limit_lets_large_scans_through():
    assert 12000 * 9000 < MAX_PIXELS < 20000 * 20000


@pytest.mark.parametrize("end", [".jpg", ".png", ".webp", ".gif", ".bmp", ".tif", ".ppm"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_pictures_cut_off_are_never_half_gray(tmp_path, end, part):
    path = tmp_path / f"a{end}"
    Image.fromarray(RNG.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(DataError, match=f"a{end} is not a readable image"):
        read_image(path)


def test_checks_find_pictures_cut_off(tmp_path):
    oriented(tmp_path / "a.png", 1)
    coco = {"images": [{"id": 1, "file_name": "a.png", "height": 24, "width": 40}]}
    coco |= {"annotations": [], "categories": []}
    assert {p.kind for p in check(coco, tmp_path)} == {"no annotations"}
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-20])
    assert "unreadable image" in {p.kind for p in check(coco, tmp_path)}
