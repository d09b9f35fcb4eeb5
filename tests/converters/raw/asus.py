"""Half floats turned by 180 degrees, an L to tell turns from flips, pieces of 4 and of 3 pixels."""

import numpy as np

from tests.kit.archives import Truth, Want, ell, picture, rect


def make(root):
    top = root / "ASUS/DataArrays"
    top.mkdir(parents=True)
    wants = []
    shape, four, three = ell(2, 2), rect(40, 40, 42, 42), rect(30, 55, 31, 58)
    for n in range(2):
        frames = np.stack([picture(10 * n + i) for i in range(3)])
        masks = np.stack([np.zeros_like(shape), shape | four | three, shape])
        stored = np.flip(frames, (1, 2))[..., None].astype(np.float16) / np.float16(255)
        np.save(top / f"q00{n}_ultrasound.npy", stored)
        np.save(top / f"q00{n}_segmentation.npy", np.flip(masks, (1, 2))[..., None].astype(np.uint8))
        np.save(top / f"q00{n}_transform.npy", np.eye(4))
        name = f"q00{n}_ultrasound.npy"
        seen = [np.rint(f.astype(np.float32) * 255).astype(np.uint8)[::-1, ::-1] for f in stored[..., 0]]
        wants.append(Want(name, [("spine", shape), ("spine", four)], seen[1], 1, f"q00{n}"))
        wants.append(Want(name, [("spine", shape)], seen[2], 2, f"q00{n}"))
        assert abs(seen[1].astype(int) - frames[1]).max() <= 1
    return Truth(wants, skips={"slice or frame without annotation": 2}, notes={"speck: spine": 2})
