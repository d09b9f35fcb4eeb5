"""Pixels in a file beside the header, an unlabeled frame, a strange value, a header without pixels."""

import numpy as np

from tests.kit.archives import Truth, Want, picture, rect, text


def mhd(path, array, pixels=True):
    size = " ".join(map(str, array.shape[::-1]))
    head = f"ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = {size}\nElementType = MET_UCHAR\n"
    text(path, head + f"ElementDataFile = {path.stem}.raw\n")
    if pixels:
        path.with_suffix(".raw").write_bytes(array.tobytes())


def make(root):
    cavity, muscle = rect(10, 10, 30, 30), rect(30, 10, 40, 30)
    frames = np.stack([picture(n) for n in range(3)])
    values = np.zeros(frames.shape, np.uint8)
    values[:2, cavity], values[:2, muscle] = 1, 2
    for patient, labels in (("patient001", values), ("patient002", values * 3), ("patient003", values)):
        top = root / "database" / patient
        mhd(top / f"{patient}_4CH_sequence.mhd", frames, pixels=patient != "patient003")
        mhd(top / f"{patient}_4CH_sequence_gt.mhd", labels)
        text(top / f"{patient}_4CH_info.cfg", "ED: 1\n")
    objects = [("endocardium", cavity), ("epicardium", muscle)]
    file = "patient001_4CH_sequence.mhd"
    wants = [Want(file, objects, frames[n], n, subject="patient001") for n in range(2)]
    failures = [
        "patient002_4CH_sequence.mhd...unknown label values [6]",
        "patient003_4CH_sequence.mhd...unreadable",
    ]
    return Truth(wants, failures, {"slice or frame without annotation": 1})
