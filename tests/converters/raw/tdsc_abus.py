"""Three official parts, slices with and without tumor, a mask of other values."""

import gzip

import numpy as np

from tests.kit.archives import Truth, Want, picture, rect


def nrrd(path, array):
    """Written by hand: sizes are fastest first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = " ".join(map(str, array.shape[::-1]))
    head = f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: {sizes}\nencoding: gzip\nendian: little\n\n"
    path.write_bytes(head.encode() + gzip.compress(array.tobytes()))


def make(root):
    tumor, wants = rect(8, 8, 20, 30), []
    for number, part, split in ((0, "Train", "train"), (100, "Validation", "val"), (130, "Test", "test")):
        slices = np.stack([picture(number + i) for i in range(3)])
        mask = np.zeros(slices.shape, np.uint8)
        mask[1, tumor] = 1
        nrrd(root / f"{part}/DATA/DATA_{number:03d}.nrrd", slices)
        nrrd(root / f"{part}/MASK/MASK_{number:03d}.nrrd", mask)
        file, name = f"DATA_{number:03d}.nrrd", f"{number:03d}"
        wants.append(Want(file, [("breast_tumor", tumor)], slices[1], 1, subject=name, split=split))
    nrrd(root / "Train/DATA/DATA_001.nrrd", slices)
    nrrd(root / "Train/MASK/MASK_001.nrrd", mask * 5)
    failures = ["DATA_001.nrrd...unknown label values [5]"]
    return Truth(wants, failures, {"slice or frame without annotation": 6})
