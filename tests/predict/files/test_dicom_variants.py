"""Transfer syntax by color, depth and frames: read right, or refused; three readers agree."""

import io
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.pixels import convert_color_space, pixel_array

from tests.kit.fuzz_files import dicom_bytes
from ultrasam.cli.main import main
from ultrasam.errors import DataError
from ultrasam.predict.files import dicom

EXPLICIT, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"
JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
SYNTAXES = [
    "1.2.840.10008.1.2",
    EXPLICIT,
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    RLE,
    JPEG_LS,
    JPEG_2000,
]
DEFLATED = SYNTAXES[3]


def pixels(frames, color, bits):
    """Frames of noise of so many bits, negative ones too where bits are."""
    shape = (frames, 33, 38, 3) if color in ("RGB", "YBR_FULL") else (frames, 33, 38)
    low, high = (-(2 ** (-bits - 1)), 2 ** (-bits - 1)) if bits < 0 else (0, 2**bits)
    kind = np.uint8 if bits == 8 else np.int16 if bits < 0 else np.uint16
    return np.random.default_rng(abs(bits) + frames).integers(low, high, shape).astype(kind)


def variant(path, syntax, color, bits, frames):
    """Write one and return its pixels."""
    truth = pixels(frames, color, bits)
    stored = truth
    if syntax == "1.2.840.10008.1.2.2" and truth.itemsize == 2:
        stored = truth.astype(truth.dtype.newbyteorder(">"))
    packed = syntax in (RLE, JPEG_LS, JPEG_2000)
    tags = {"PhotometricInterpretation": color, "BitsStored": abs(bits), "HighBit": abs(bits) - 1}
    tags["PixelRepresentation"] = int(bits < 0)
    data = dicom_bytes(stored, syntax=EXPLICIT if packed else syntax, **tags)
    path.write_bytes(data)
    if packed:
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
    return truth


def gdcm(path):
    """As SimpleITK's GDCM reads a file."""
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    return SimpleITK.GetArrayFromImage(reader.Execute())


CASES = [
    (syntax, color, bits, frames)
    for syntax in SYNTAXES
    for color, bits in [
        ("MONOCHROME2", 8),
        ("MONOCHROME1", 8),
        ("MONOCHROME2", 12),
        ("MONOCHROME2", -16),
        ("RGB", 8),
        ("YBR_FULL", 8),
    ]
    for frames in (1, 3)
    # Their encoders would write what the name does not say.
    if not (color == "YBR_FULL" and syntax in (RLE, JPEG_LS, JPEG_2000))
    and not (bits < 0 and syntax == JPEG_LS)
]


@pytest.mark.parametrize(("syntax", "color", "bits", "frames"), CASES)
def test_made_variants_are_read_right(tmp_path, syntax, color, bits, frames):
    path = tmp_path / "a.dcm"
    truth = variant(path, syntax, color, bits, frames)
    if color == "YBR_FULL":
        truth = convert_color_space(truth, "YBR_FULL", "RGB", per_frame=True)
    clip = dicom.open_clip(path)
    assert clip.frames == frames and clip.lacks() is None
    # Backward, since no frame may depend on the one before.
    found = [clip.samples(number)[0] for number in reversed(range(frames))][::-1]
    assert np.array_equal(np.stack(found), truth)
    by_gdcm = gdcm(path).reshape(truth.shape)
    # ITK turns MONOCHROME1 round; its YBR is rounded otherwise.
    by_gdcm = 255 - by_gdcm if color == "MONOCHROME1" else by_gdcm
    assert np.abs(by_gdcm.astype(int) - truth).max() <= (2 if color == "YBR_FULL" else 0)
    shown = clip.read(frames - 1, None if bits == 8 else (-(2**15), 2**15))
    assert shown.shape == (33, 38, 3) and shown.dtype == np.uint8
    if color == "MONOCHROME1":
        assert np.array_equal(shown[..., 0], 255 - truth[-1])


def test_files_of_pydicom():
    """Each is read as pydicom and GDCM read it, or refused where pydicom refuses it too."""
    read, refused = 0, {}
    for path in sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm")):
        name = path.name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            if "Rows" not in header or int(header.Rows) * int(header.Columns) > 250_000:
                continue
            try:
                clip = dicom.open_clip(path)
                found = np.stack([clip.samples(number)[0] for number in range(clip.frames)])
            except DataError as error:
                refused[name] = str(error)
                assert name in str(error)
                with pytest.raises((ValueError, RuntimeError, AttributeError, TypeError)):
                    pixel_array(path)
                continue
            read += 1
            if header.file_meta.get("TransferSyntaxUID") != DEFLATED:
                assert np.array_equal(found, pixel_array(path).reshape(found.shape)), name
    assert read >= 45
    assert set(refused) <= {
        *("JPEG-lossy.dcm", "JPGExtended.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"),
        *("MR_truncated.dcm", "SC_rgb_jpeg.dcm", "badVR.dcm", "JPEG2000_UNC.dcm"),
    }, refused


def test_headers_that_do_not_fit_the_pixels(tmp_path):
    gray = pixels(3, "MONOCHROME2", 8)
    path = tmp_path / "a.dcm"
    path.write_bytes(dicom_bytes(gray, NumberOfFrames=2))
    assert "header states 2 frames, its pixels are those of 3" in dicom.open_clip(path).lacks()
    full = np.repeat(gray[..., None], 3, axis=3)
    path.write_bytes(dicom_bytes(full, PhotometricInterpretation="YBR_FULL_422"))
    with pytest.raises(DataError, match="its photometric interpretation is another"):
        dicom.open_clip(path)
    path.write_bytes(dicom_bytes(full, PhotometricInterpretation="YBR_PARTIAL_422"))
    with pytest.raises(DataError, match=r"a\.dcm.*YBR_PARTIAL_422"):
        clip = dicom.open_clip(path)
        clip.read(0)


def test_frames_in_several_pieces(tmp_path):
    """With offsets, without them, and with the extended table of offsets."""
    path = tmp_path / "a.dcm"
    data = dicom_bytes(pixels(3, "MONOCHROME2", 8), jpegs=True)
    dataset = pydicom.dcmread(io.BytesIO(data))
    jpegs = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=3))
    path.write_bytes(data)
    truth = [dicom.open_clip(path).samples(number)[0] for number in range(3)]
    for offsets in (True, False):
        dataset.PixelData = pydicom.encaps.encapsulate(jpegs, fragments_per_frame=2, has_bot=offsets)
        dataset.save_as(path)
        clip = dicom.open_clip(path)
        assert clip.frames == 3
        assert all(np.array_equal(clip.samples(number)[0], truth[number]) for number in (2, 0, 1))
    extended = pydicom.encaps.encapsulate_extended(jpegs)
    dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = extended
    dataset.save_as(path)
    clip = dicom.open_clip(path)
    assert all(np.array_equal(clip.samples(number)[0], truth[number]) for number in (2, 0, 1))


def test_a_compressed_clip_that_is_cut_off_within_a_frame(tmp_path):
    path = tmp_path / "a.dcm"
    data = dicom_bytes(pixels(4, "MONOCHROME2", 8), jpegs=True)
    path.write_bytes(data[: data.rindex(b"\xff\xd8\xff") + 60])
    clip = dicom.open_clip(path)
    assert clip.frames == 4 and clip.samples(2)[0].shape == (33, 38)
    with pytest.raises(DataError, match="frame 3 can't be decoded: the file is cut off there"):
        clip.read(3)


def test_times_of_frames(tmp_path):
    path = tmp_path / "a.dcm"
    gray = pixels(3, "MONOCHROME2", 8)
    for tags, times in (
        ({"FrameTime": "40"}, [0, 0.04, 0.08]),
        ({"FrameTimeVector": ["0", "30", "50"], "FrameTime": "40"}, [0, 0.03, 0.08]),
        ({"CineRate": "50"}, [0, 0.02, 0.04]),
        ({}, [None, None, None]),
    ):
        path.write_bytes(dicom_bytes(gray, **tags))
        clip = dicom.open_clip(path)
        assert [clip.time(number) for number in range(3)] == times


def test_what_pydicom_finds_odd_is_not_printed():
    """By a command; in Python it is told as ever."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warnings.warn_explicit("too many digits", UserWarning, "valuerep.py", 1, "pydicom.valuerep")
        assert len(seen) == 1
        seen.clear()
        assert main(["configs"]) == 0
        warnings.warn_explicit("too many digits", UserWarning, "valuerep.py", 1, "pydicom.valuerep")
        assert not seen
