"""Damaged images, DICOM files and videos, and what reading one of them may end in.

Run for longer than the tests do, in a process of its own for each kind, since decoders are C::

    python -m tests.kit.fuzz_files images 2000
    python -m tests.kit.fuzz_files dicom 1000
    python -m tests.kit.fuzz_files videos 100
"""

from __future__ import annotations

import functools
import io
import struct
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.kit.pictures import noise
from ultrasam.errors import UltraSamError
from ultrasam.predict.files import sources

Rng = np.random.Generator
#: The end of a file's name and its bytes.
File = tuple[str, bytes]
_EXTREMES = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 40000]


def mutated(rng: Rng, data: bytes) -> bytes:
    """Bytes with one to three kinds of damage, half of the time near the beginning, where headers are."""
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        size = max(len(damaged), 1)
        at = int(rng.integers(0, min(size, 200) if rng.random() < 0.5 else size))
        length = int(rng.integers(1, 1 + max(1, size // 8)))
        kind = rng.integers(0, 7)
        if kind == 0:
            damaged[at : at + 1] = bytes([rng.integers(0, 256)])
        elif kind == 1:
            del damaged[at:]
        elif kind == 2:
            damaged[at : at + length] = bytes(length)
        elif kind == 3:
            damaged[at : at + length] = rng.bytes(length)
        elif kind == 4:
            del damaged[at : at + length]
        elif kind == 5:
            damaged[at:at] = damaged[at : at + length]
        else:
            value, order = int(rng.choice(_EXTREMES)), str(rng.choice(["<I", ">I"]))
            damaged[at : at + 4] = struct.pack(order, value)
    return bytes(damaged)


@functools.cache
def whole_images() -> tuple[File, ...]:
    """Small images of every kind that is read."""
    color = np.random.default_rng(0).integers(0, 255, (12, 17, 3), dtype=np.uint8)
    pictures = [Image.fromarray(np.roll(color, i, axis=0)) for i in range(4)]
    more: dict[str, Any] = {"save_all": True, "append_images": pictures[1:]}
    exif = Image.Exif()
    exif[0x0112] = 6
    saved: list[tuple[str, Image.Image, dict[str, Any]]] = [
        *((end, pictures[0], {}) for end in (".png", ".jpg", ".bmp", ".tif", ".webp", ".ppm", ".gif")),
        *((end, pictures[0].convert("L"), {}) for end in (".png", ".jpg", ".bmp", ".tif", ".pgm")),
        *((end, pictures[0].convert("1"), {}) for end in (".png", ".tif", ".bmp")),
        *((end, pictures[0].convert("P"), {}) for end in (".png", ".bmp")),
        *((end, pictures[0].convert("RGBA"), {}) for end in (".png", ".webp", ".tif")),
        *((end, pictures[0], {"exif": exif}) for end in (".png", ".jpg", ".webp", ".tif")),
        *((end, pictures[0], more) for end in (".png", ".tif", ".webp", ".gif")),
        (".png", Image.fromarray(color[..., 0].astype(np.uint16) * 200), {}),
        (".jpg", pictures[0], {"progressive": True}),
        (".tif", pictures[0], {"compression": "tiff_lzw"}),
        (".tif", pictures[0], {"compression": "jpeg"}),
    ]
    files = []
    for end, picture, options in saved:
        file = io.BytesIO()
        picture.save(file, Image.registered_extensions()[end], **options)
        files.append((end, file.getvalue()))
    return tuple(files)


def dicom_bytes(
    frames: np.ndarray, *, syntax: str = "1.2.840.10008.1.2.1", jpegs: bool = False, **tags: Any
) -> bytes:
    """An ultrasound DICOM file.

    Args:
        frames: (n, H, W) or (n, H, W, 3).
        syntax: the transfer syntax's UID.
        jpegs: compress each frame as baseline JPEG, whose syntax this is then.
        tags: further values; None as ``preamble`` leaves preamble and file meta information out.
    """
    import pydicom
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, generate_uid

    bare = "preamble" in tags and tags.pop("preamble") is None
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.50" if jpegs else syntax)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["a"])
    dataset.Modality = "US"
    dataset.Rows, dataset.Columns = frames.shape[1:3]
    dataset.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    if frames.ndim == 4:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = "RGB" if frames.ndim == 4 else "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = frames.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = frames.tobytes()
    if jpegs:
        dataset.PixelData = encapsulate([cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    for name, value in tags.items():
        setattr(dataset, name, value)
    file = io.BytesIO()
    little = syntax != "1.2.840.10008.1.2.2"
    implicit = syntax == "1.2.840.10008.1.2" and not jpegs
    if bare:
        file_dataset = pydicom.filebase.DicomFileLike(file)
        file_dataset.is_little_endian, file_dataset.is_implicit_VR = little, implicit
        pydicom.filewriter.write_dataset(file_dataset, dataset)
    else:
        pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def region(**values: Any) -> Any:
    """An ultrasound region that is whole but for the values given; None leaves a value empty."""
    import pydicom

    item = pydicom.Dataset()
    whole = {
        "RegionSpatialFormat": 1,
        **{"RegionLocationMinX0": 0, "RegionLocationMinY0": 0, "RegionLocationMaxX1": 63},
        **{"RegionLocationMaxY1": 47, "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3},
        **{"PhysicalDeltaX": 0.02, "PhysicalDeltaY": 0.03},
    }
    for name, value in {**whole, **values}.items():
        setattr(item, name, value)
    return item


@functools.cache
def whole_dicoms() -> tuple[File, ...]:
    """Small DICOM files: stills and clips, raw and compressed, deep and colored, without preamble."""
    gray = np.random.default_rng(0).integers(0, 255, (4, 48, 64), dtype=np.uint8)
    color = np.repeat(gray[..., None], 3, axis=3)
    files = [
        dicom_bytes(gray[:1], SequenceOfUltrasoundRegions=[region()]),
        dicom_bytes(gray, PixelSpacing=[0.2, 0.3]),
        dicom_bytes(gray[:1], syntax="1.2.840.10008.1.2", preamble=None),
        dicom_bytes(gray, syntax="1.2.840.10008.1.2.2"),
        dicom_bytes(gray, syntax="1.2.840.10008.1.2.1.99"),
        dicom_bytes(gray.astype(np.uint16) * 16, WindowCenter=1000, WindowWidth=2000),
        dicom_bytes(color),
        dicom_bytes(color, jpegs=True, PhotometricInterpretation="YBR_FULL_422"),
        dicom_bytes(gray, jpegs=True),
    ]
    return tuple((".dcm", data) for data in files)


def damaged_dicom(rng: Rng) -> File:
    """A DICOM file with damaged bytes, or with a value that does not belong in its header."""
    import pydicom

    end, data = whole_dicoms()[rng.integers(0, len(whole_dicoms()))]
    if rng.random() < 0.5:
        return end, mutated(rng, data)
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    tags = [e.tag for e in dataset.iterall()]
    tag = tags[rng.integers(0, len(tags))]
    value = [b"", b"1A", b"-3 ", b"0 ", b"99999999", b"1e400 ", b"\\\\", rng.bytes(4), rng.bytes(2)][
        rng.integers(0, 9)
    ]
    # The element as it lies in the file is changed: pydicom would not write such a value.
    at = data.find(struct.pack("<HH", tag.group, tag.element), 0)
    if at < 0:
        return end, mutated(rng, data)
    kept = data[at + 8 :]
    return end, data[: at + 6] + struct.pack("<H", len(value)) + value + kept[len(value) :]


def mjpeg_avi(jpegs: Sequence[bytes], size: Sequence[int], stated: int | None = None) -> bytes:
    """An AVI file of JPEG pictures, which may be damaged.

    Args:
        jpegs: the bytes of each frame.
        size: (H, W) of the frames.
        stated: the number of frames in its header, of those given without it.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    count, (height, width) = len(jpegs) if stated is None else stated, size
    main = struct.pack("<14I", 100000, 0, 0, 16, count, 0, 1, 1 << 20, width, height, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack(
        "<IHH8I4h", 0, 0, 0, 0, 1, 10, 0, count, 1 << 20, 2**32 - 1, 0, 0, 0, width, height
    )
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    streams = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", form))
    index, body = b"", b"movi"
    for data in jpegs:
        index += b"00dc" + struct.pack("<III", 16, len(body), len(data))
        body += chunk(b"00dc", data)
    head = chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + streams)
    return chunk(b"RIFF", b"AVI " + head + chunk(b"LIST", body) + chunk(b"idx1", index))


_CONTAINERS = ((".avi", "MJPG"), (".avi", "XVID"), (".mp4", "mp4v"), (".mkv", "MJPG"), (".mov", "mp4v"))


@functools.cache
def whole_videos() -> tuple[File, ...]:
    """Videos of ten frames in each container that can be written here."""
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for end, codec in _CONTAINERS:
            path = Path(folder) / f"{codec}{end}"
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (64, 48))
            for i in range(10):
                writer.write(noise(48, 64, seed=i))
            writer.release()
            files.append((end, path.read_bytes()))
    return tuple(files)


def _damaged(whole: Callable[[], tuple[File, ...]], rng: Rng) -> File:
    end, data = whole()[rng.integers(0, len(whole()))]
    return end, mutated(rng, data)


#: kind -> makes a damaged file of it.
KINDS: dict[str, Callable[[Rng], File]] = {
    "images": functools.partial(_damaged, whole_images),
    "dicom": damaged_dicom,
    "videos": functools.partial(_damaged, whole_videos),
}


def read(path: Path) -> tuple[int, list[str]]:
    """How many frames of a file can be read as ``ultrasam predict`` reads it, and what it says of the rest.

    Any other error than ours goes through.
    """
    count, told = 0, []
    frames = sources.frames(sources.Source(path, path.name), path.stem, "minmax")
    while True:
        try:
            frame = next(frames, None)
            if frame is None:
                return count, told
            image = frame.read()
        except UltraSamError as error:
            told.append(str(error))
            continue
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size
        count += 1


def stated_frames(path: Path) -> int:
    """How many frames a file's header states, by Pillow, pydicom or its bytes; 0 where they do not say."""
    data = path.read_bytes()
    try:
        if path.suffix == ".dcm":
            import pydicom

            return int(pydicom.dcmread(io.BytesIO(data), force=True).get("NumberOfFrames") or 0)
        if path.suffix == ".avi":
            at = data.index(b"strh")
            return min(struct.unpack("<I", data[at + 40 : at + 44])[0], 10)
        if path.suffix in (".mp4", ".mov"):
            at = data.index(b"stsz")
            return min(struct.unpack(">I", data[at + 12 : at + 16])[0], 10)
        with Image.open(io.BytesIO(data)) as opened:
            return int(getattr(opened, "n_frames", 1))
    except Exception:
        return 0


def check(path: Path) -> str:
    """Read a file: ``frames``, ``told`` or both; fails where frames are missing without a word."""
    count, told = read(path)
    assert count or told, f"{path}: no frame and no error"
    assert told or count >= stated_frames(path), f"{path}: {count} of {stated_frames(path)} frames, untold"
    for message in told:
        assert path.name in message and not message.endswith(":"), message
    return ", ".join(["frames"] * bool(count) + ["told"] * bool(told))


def run(kind: str, count: int, first: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Read so many damaged files: outcomes, and what went wrong with its seed; those files are kept."""
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    for seed in range(first, first + count):
        end, data = KINDS[kind](np.random.default_rng(seed))
        path = folder / f"{kind}_{seed}{end}"
        path.write_bytes(data)
        try:
            outcomes[check(path)] += 1
            path.unlink()
        except Exception as error:
            faults.append(f"{kind} {seed}: {type(error).__name__}: {error}")
    return outcomes, faults


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    kept = Path(tempfile.mkdtemp(prefix="fuzz-"))
    found, wrong = run(sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] or ["0"])[0]), kept)
    print(dict(found), *wrong[:40], f"{len(wrong)} faults, files in {kept}", sep="\n")
    sys.exit(bool(wrong))
