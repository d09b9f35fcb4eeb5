"""Image files of every kind that OpenCV writes, and those that are refused."""

import cv2
import numpy as np
import pytest

from ultrasam.data.boxes import tight_boxes
from ultrasam.data.images import mirror, read_image, write_image
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
