"""Readers against the libraries that wrote the files."""

from __future__ import annotations

import gzip
import zlib

import cv2
import h5py
import numpy as np
import pytest
from PIL import Image
from ultrasam.converters.engine import read
from ultrasam.converters.engine.errors import CaseError
from ultrasam.converters.engine.volumes import labels, to_uint8, volume

from tests.kit.archives import mha, nifti, picture, video
from tests.kit.fuzz_files import mjpeg_avi

SHAPE = (3, 5, 7)


def numbers(dtype="int16"):
    return np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)


@pytest.mark.parametrize(
    "name", ["a.nii", "a.nii.gz", "a.mha", "a.mhd", "z.mha", "a.nrrd", "g.nrrd", "a.npy", "a.dcm"]
)
def test_volumes_come_slowest_axis_first(tmp_path, name):
    truth = numbers()
    path = tmp_path / name
    size = " ".join(map(str, SHAPE[::-1]))
    if ".nii" in name:
        nifti(path, truth)
    elif name == "a.mha":
        mha(path, truth)
    elif name in ("a.mhd", "z.mha"):
        packed = name == "z.mha"
        data = zlib.compress(truth.tobytes()) if packed else truth.astype(">i2").tobytes()
        where = "LOCAL" if packed else "a.raw"
        head = f"NDims = 3\nDimSize = {size}\nCompressedData = {packed}\nElementType = MET_SHORT\n"
        head += f"BinaryDataByteOrderMSB = {not packed}\nElementDataFile = {where}\n"
        path.write_bytes(head.encode() + (data if packed else b""))
        (tmp_path / "a.raw").write_bytes(data)
    elif name.endswith(".nrrd"):
        packed = name == "g.nrrd"
        head = f"NRRD0004\ntype: short\ndimension: 3\nsizes: {size}\nendian: little\n"
        head += f"encoding: {'gzip' if packed else 'raw'}\n\n"
        path.write_bytes(head.encode() + (gzip.compress(truth.tobytes()) if packed else truth.tobytes()))
    elif name == "a.npy":
        np.save(path, truth)
    else:
        truth = truth[0].astype(np.uint8)
        dicom(path, truth)
    found = volume(path)
    np.testing.assert_array_equal(found, truth)


def dicom(path, array):
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.Rows, data.Columns = array.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = array.tobytes() + b"\0" * (array.size % 2)
    pydicom.dcmwrite(path, data, enforce_file_format=True)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.mha", "a.nrrd", "a.npy", "a.dcm", "a.xyz"])
def test_damaged_volumes_name_the_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"NRRD0004\ntype: short\nsizes: 9 9\n\nx")
    with pytest.raises(CaseError, match=name):
        volume(tmp_path / name)


def test_label_volumes_are_whole_numbers_of_the_image_shape(tmp_path):
    np.save(tmp_path / "a.npy", np.full(SHAPE, 2.0))
    assert (labels(tmp_path / "a.npy", SHAPE) == 2).all()
    with pytest.raises(CaseError, match="labels of shape"):
        labels(tmp_path / "a.npy", (3, 5, 8))
    np.save(tmp_path / "b.npy", np.full(SHAPE, 1.5))
    with pytest.raises(CaseError, match="no whole numbers"):
        labels(tmp_path / "b.npy", SHAPE)


def test_gray_values_are_never_wrapped():
    same, notes = to_uint8(np.array([0.0, 254.6], np.float32))
    assert same.tolist() == [0, 255] and not notes
    scaled, notes = to_uint8(np.array([0, 256, 512], np.int16))
    assert scaled.tolist() == [0, 128, 255] and "0 to 512" in notes[0]
    assert to_uint8(np.array([-100, 100], np.int16))[0].tolist() == [0, 255]
    with pytest.raises(ValueError, match="finite"):
        to_uint8(np.array([np.nan]))


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.jpg"])
def test_stills_agree_with_pil(tmp_path, name):
    color = picture(3, color=True)
    Image.fromarray(color).save(tmp_path / name)
    truth = np.asarray(Image.open(tmp_path / name).convert("RGB")).astype(int)
    assert np.abs(read.image(tmp_path / name).astype(int) - truth).max() <= (2 if name == "a.jpg" else 0)


def test_frames_are_those_that_were_asked_for(tmp_path):
    pictures = [np.full((48, 64), 20 * i, np.uint8) for i in range(8)]
    video(tmp_path / "a.avi", pictures)
    found = dict(read.frames(tmp_path / "a.avi", [6, 1, 99]))
    assert {number: int(frame.mean()) for number, frame in found.items()} == {1: 20, 6: 120}
    assert [number for number, _ in read.frames(tmp_path / "a.avi")] == list(range(8))
    (tmp_path / "b.avi").write_bytes(b"no video")
    for name, reason in (("b.avi", "no readable video"), ("c.avi", "no such video")):
        with pytest.raises(CaseError, match=reason):
            list(read.frames(tmp_path / name))


def test_damaged_frames_keep_their_numbers(tmp_path):
    jpegs = [cv2.imencode(".jpg", np.full((48, 64), 20 * i, np.uint8))[1].tobytes() for i in range(8)]
    (tmp_path / "a.avi").write_bytes(mjpeg_avi(jpegs, (48, 64)))
    assert [number for number, _ in read.frames(tmp_path / "a.avi")] == list(range(8))
    jpegs[3] = jpegs[3][:60] + bytes(100)
    (tmp_path / "a.avi").write_bytes(mjpeg_avi(jpegs, (48, 64)))
    found = dict(read.frames(tmp_path / "a.avi", [1, 3, 4, 6]))
    assert {number: round(frame.mean()) for number, frame in found.items()} == {1: 20, 4: 80, 6: 120}
    with pytest.raises(CaseError, match="1 frames after frame 2 are damaged"):
        list(read.frames(tmp_path / "a.avi"))


def test_named_arrays(tmp_path):
    from scipy.io import savemat

    values = np.arange(6).reshape(2, 3)
    savemat(tmp_path / "a.mat", {"x": values})
    np.savez(tmp_path / "a.npz", x=values)
    with h5py.File(tmp_path / "b.mat", "w", userblock_size=512) as file:
        file["x"] = values.T
    data = (tmp_path / "b.mat").read_bytes()
    (tmp_path / "b.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + data[512:])
    for name in ("a.mat", "a.npz", "b.mat"):
        np.testing.assert_array_equal(read.variables(tmp_path / name)["x"], values)
    (tmp_path / "c.mat").write_bytes(b"nothing")
    with pytest.raises(CaseError, match=r"c\.mat"):
        read.variables(tmp_path / "c.mat")


def test_tables_text_and_pickles(tmp_path):
    (tmp_path / "a.csv").write_bytes("﻿ a , b\n1, 2\n\n".encode())
    assert read.table(tmp_path / "a.csv", ("a", "b")) == [{"a": "1", "b": "2"}]
    with pytest.raises(CaseError, match=r"no column c \(found: a, b\)"):
        read.table(tmp_path / "a.csv", ("c",))
    (tmp_path / "a.json").write_bytes('{"神": 1}'.encode("gbk"))
    assert read.json_file(tmp_path / "a.json") == {"神": 1}
    np.save(tmp_path / "a.npy", np.array({"x": np.arange(3)}, object), allow_pickle=True)
    assert read.pickled_dict(tmp_path / "a.npy")["x"].tolist() == [0, 1, 2]
    with pytest.raises(CaseError, match="unreadable array"):
        read.array(tmp_path / "a.npy")
