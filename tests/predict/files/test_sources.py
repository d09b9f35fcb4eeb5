"""Stacks, animations, videos and DICOM: every frame, or how many are missing."""

import io
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from tests.kit.fuzz_files import dicom_bytes, mjpeg_avi, read, region
from ultrasam.errors import DataError
from ultrasam.predict.files import dicom, dicom_header, sources, video, video_opencv, video_pyav

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 255, (5, 24, 32), dtype=np.uint8)


@pytest.fixture(params=[video_pyav, video_opencv], ids=["pyav", "opencv"])
def video_reader(request, monkeypatch):
    """As where PyAV is installed, and as where it is not."""
    monkeypatch.setattr(video, "_reader", lambda: request.param.Reader)


def frames(path, window=None):
    """Number and image of each frame, and what is said of the rest."""
    found, told = [], []
    walk = sources.frames(sources.Source(path, path.name), "x", window)
    while True:
        try:
            frame = next(walk, None)
            if frame is None:
                return found, told
            found.append((frame.number, frame.read()))
        except DataError as error:
            told.append(str(error))


@pytest.mark.parametrize("name", ["a.tif", "a.gif", "a.png", "a.webp"])
def test_stacks_and_animations_are_clips(tmp_path, name):
    pictures = [Image.fromarray(np.repeat(page[..., None] // 64 * 64, 3, axis=2)) for page in GRAY]
    options = {"lossless": True} if name == "a.webp" else {}
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], **options)
    found, told = frames(tmp_path / name)
    assert told == [] and [number for number, _ in found] == [0, 1, 2, 3, 4]
    for picture, (_, image) in zip(pictures, found, strict=True):
        assert np.array_equal(image, np.asarray(picture))
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * 0.7)])
    found, told = frames(tmp_path / name)
    assert len(found) < 5 and told and all(name in message for message in told)


def test_a_damaged_page_does_not_stop_the_next(tmp_path):
    pages = [Image.fromarray(page) for page in GRAY]
    pages[0].save(
        tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression="tiff_adobe_deflate"
    )
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with Image.open(tmp_path / "a.tif") as opened:
        opened.seek(2)
        at = opened.tag_v2[273][0]
    data[at : at + 200] = bytes(200)
    (tmp_path / "a.tif").write_bytes(data)
    found, told = frames(tmp_path / "a.tif")
    assert [number for number, _ in found] == [0, 1, 3, 4] and "page 2 is not readable" in told[0]


def test_pages_of_a_tiff_file_that_are_no_frames(tmp_path):
    small = Image.fromarray(GRAY[1, ::2, ::2])
    small.encoderinfo = {"tiffinfo": {254: 1}}
    Image.fromarray(GRAY[0]).save(tmp_path / "a.tif", save_all=True, append_images=[small])
    found, told = frames(tmp_path / "a.tif")
    assert [number for number, _ in found] == [None] and not told
    assert np.array_equal(found[0][1][..., 0], GRAY[0])


def test_deep_stacks_need_a_window(tmp_path):
    pages = [Image.fromarray(page.astype(np.uint16) * 16) for page in GRAY]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    found, told = frames(tmp_path / "a.tif", (0, 255 * 16))
    assert not told and np.array_equal(found[3][1][..., 0], GRAY[3])
    found, told = frames(tmp_path / "a.tif")
    assert found == [] and len(told) == 5 and "16 bits a sample" in told[0]


@pytest.mark.parametrize(
    ("broken", "missing"),
    [
        ((), ""),
        ((2,), "1 (2)"),
        ((0,), "1 (0)"),
        ((4,), "1 (4)"),
        ((1, 2), "2 (1 to 2)"),
        ((0, 2, 4), "3 (0, 2, 4)"),
    ],
)
def test_frames_before_and_after_damaged_ones(tmp_path, broken, missing, video_reader):
    jpegs = [cv2.imencode(".jpg", page)[1].tobytes() for page in GRAY]
    damaged = [data[:60] + bytes(200) if i in broken else data for i, data in enumerate(jpegs)]
    (tmp_path / "a.avi").write_bytes(mjpeg_avi(damaged, GRAY.shape[1:]))
    found, told = frames(tmp_path / "a.avi")
    assert [number for number, _ in found] == [i for i in range(5) if i not in broken]
    # A frame's own picture, not its neighbor's.
    for number, image in found:
        truth = cv2.imdecode(np.frombuffer(jpegs[number], np.uint8), cv2.IMREAD_GRAYSCALE)
        assert np.abs(image[..., 0].astype(int) - truth).max() < 20
    count, _, numbers = missing.partition(" ")
    says = f"{tmp_path / 'a.avi'}: {count} of its 5 frames are missing {numbers}: it is damaged or cut off"
    assert told == ([says] if missing else [])


@pytest.mark.parametrize("stated", [9, 10**6, 2**32 - 2])
def test_a_video_that_promises_more_than_it_holds(tmp_path, stated, video_reader):
    jpegs = [cv2.imencode(".jpg", page)[1].tobytes() for page in GRAY]
    (tmp_path / "a.avi").write_bytes(mjpeg_avi(jpegs, GRAY.shape[1:], stated))
    found, told = frames(tmp_path / "a.avi")
    assert len(found) == 5 and f"{stated - 5} of its {stated} frames are missing" in told[0]


@pytest.mark.parametrize("end", [".avi", ".mkv", ".wmv"])
def test_videos_cut_off(tmp_path, end, video_reader):
    path = tmp_path / f"a{end}"
    codec = {".avi": "XVID", ".mkv": "MJPG", ".wmv": "WMV2"}[end]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25, (64, 48))
    for i in range(20):
        writer.write(np.random.default_rng(i).integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    assert [len(frames(path)[0]), frames(path)[1]] == [20, []]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found, told = frames(path)
    assert 0 < len(found) < 20 and path.name in told[0]


def clip(tmp_path, *args, **tags):
    path = tmp_path / "a.dcm"
    path.write_bytes(dicom_bytes(*args, **tags))
    return path


@pytest.mark.parametrize(
    "values",
    [
        {"RegionSpatialFormat": None},
        {"RegionLocationMinX0": None},
        {"RegionLocationMaxX1": None},
        {"PhysicalDeltaX": None},
        {"PhysicalDeltaY": 0.0},
        {"PhysicalUnitsXDirection": None},
        {"RegionSpatialFormat": [1, 1]},
    ],
)
def test_regions_that_do_not_say_where_they_are_are_left_out(tmp_path, values):
    whole = region(RegionLocationMinX0=10, RegionLocationMaxX1=20)
    path = clip(tmp_path, GRAY[:1], SequenceOfUltrasoundRegions=[region(**values), whole])
    found = dicom.open_clip(path)
    assert [r.box for r in found.calibration.regions] == [(10, 0, 21, 48)]
    assert found.calibration.regions[0].spacing == pytest.approx((0.2, 0.3))
    assert np.array_equal(found.read(0)[..., 0], GRAY[0])


@pytest.mark.parametrize("spacing", [[0.3], [0.3, 0], None])
def test_spacings_that_are_none(tmp_path, spacing):
    found = dicom.open_clip(clip(tmp_path, GRAY[:1], PixelSpacing=spacing))
    assert not found.calibration.known and found.calibration((0, 0, 5, 5)) is None
    frame = next(sources.frames(sources.Source(found.path, "a.dcm"), "a"))
    # So that the spacing that the user gives counts.
    assert frame.spacing_of is None


def with_frames(data, text):
    """A file's bytes with another text of four bytes as its number of frames."""
    at = data.index(b"\x28\x00\x08\x00IS") + 6
    length = struct.unpack("<H", data[at : at + 2])[0]
    return data[:at] + struct.pack("<H", len(text)) + text + data[at + 2 + length :]


@pytest.mark.parametrize("text", [b"1A", b"-3", b"1.5 ", b"1e400 ", b"2\\3 "])
def test_numbers_of_frames_that_are_none(tmp_path, text):
    path = tmp_path / "a.dcm"
    path.write_bytes(with_frames(dicom_bytes(GRAY), text))
    with pytest.raises(DataError, match=r"a\.dcm.*NumberOfFrames is "):
        dicom.open_clip(path)


@pytest.mark.parametrize("jpegs", [False, True])
@pytest.mark.parametrize("stated", [b"7 ", b"999999"])
def test_more_frames_stated_than_there_are_pixels(tmp_path, jpegs, stated):
    path = tmp_path / "a.dcm"
    path.write_bytes(with_frames(dicom_bytes(GRAY, jpegs=jpegs), stated))
    found, told = frames(path)
    assert [number for number, _ in found] == [0, 1, 2, 3, 4]
    lost = f"(5 to {int(stated) - 1})"
    assert told == [
        f"{path}: {int(stated) - 5} of its {int(stated)} frames are missing {lost}: the file is cut off"
    ]


def test_a_damaged_frame_of_a_cine_does_not_stop_the_next(tmp_path):
    data = bytearray(dicom_bytes(GRAY, jpegs=True))
    third = [at for at in range(len(data)) if data[at : at + 3] == b"\xff\xd8\xff"][2]
    data[third : third + 40] = bytes(40)
    path = tmp_path / "a.dcm"
    path.write_bytes(data)
    found, told = frames(path)
    assert [number for number, _ in found] == [0, 1, 3, 4] and "frame 2 can't be decoded" in told[0]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
@pytest.mark.parametrize("name", ["a.dcm", "a"])
def test_files_without_preamble(tmp_path, syntax, name):
    path = tmp_path / name
    path.write_bytes(dicom_bytes(GRAY, syntax=syntax, preamble=None))
    found, told = frames(path)
    assert not told and len(found) == 5 and np.array_equal(found[4][1][..., 0], GRAY[4])
    assert [s.file_name for s in sources.find([tmp_path])] == [name]


@pytest.mark.parametrize("content", [b"", b"some text, and no DICOM at all", bytes(500)])
def test_files_that_are_no_dicom(tmp_path, content):
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    found, told = frames(path)
    assert not found and len(told) == 1 and "a.dcm" in told[0]


@pytest.mark.parametrize(
    "name", ["SC_rgb_jls_lossy_line.dcm", "SC_rgb_jpeg_gdcm.dcm", "J2K_pixelrep_mismatch.dcm"]
)
def test_decoders_that_are_absent_are_named(name, monkeypatch):
    from pydicom.pixels import get_decoder

    path = Path(get_testdata_file(name, download=False) or pytest.skip(f"pydicom comes without {name}"))
    # As on a machine without them, whatever is installed here.
    monkeypatch.setattr(type(get_decoder("1.2.840.10008.1.2.4.80")), "is_available", False)
    with pytest.raises(DataError, match=r"no decoder for that is installed: pip install 'ultrasam\[dicom\]'"):
        dicom.open_clip(path)


def test_a_deflated_bomb(tmp_path, monkeypatch):
    path = clip(tmp_path, np.zeros((50, 100, 100), np.uint8), syntax="1.2.840.10008.1.2.1.99")
    assert len(frames(path)[0]) == 50
    monkeypatch.setattr(dicom_header, "_MAX_INFLATED", 400_000)
    assert "inflates to more than 400,000 bytes" in frames(path)[1][0]


def test_a_cine_is_parsed_once(tmp_path, monkeypatch):
    path = clip(tmp_path, GRAY, jpegs=True)
    opened = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: opened.append(self) or real(self, *a, **k))
    reads = []
    import pydicom

    parse = pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda *a, **k: reads.append(a) or parse(*a, **k))
    found, _ = frames(path)
    assert len(found) == 5 and len(reads) == 1


def test_links_to_nowhere_are_told(tmp_path):
    cv2.imwrite(str(tmp_path / "good.png"), GRAY[0])
    (tmp_path / "dead.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    found = sources.find([tmp_path])
    assert [s.file_name for s in found] == ["dead.png", "good.png", "loop.png"]
    for source in (found[0], found[2]):
        count, told = read(source.path)
        assert count == 0 and "cannot read the image" in told[0] and source.file_name in told[0]


def test_jpegs_of_telephones_are_no_clips(tmp_path):
    """Their second picture is a preview."""
    pages = [Image.fromarray(np.repeat(page[..., None], 3, axis=2)) for page in GRAY[:2]]
    file = io.BytesIO()
    pages[0].save(file, "MPO", save_all=True, append_images=pages[1:])
    (tmp_path / "a.jpg").write_bytes(file.getvalue())
    found, told = frames(tmp_path / "a.jpg")
    assert [number for number, _ in found] == [None] and not told
