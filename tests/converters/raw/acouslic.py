"""Values 1 and 2 are one structure; one subject with two stacks; a table with a byte order mark."""

import numpy as np

from tests.kit.archives import Truth, Want, mha, picture, rect, text


def make(root):
    top = root / "acouslic-ai-train-set"
    h, w = 20, 24
    best, fair = rect(3, 3, 12, 14, h, w), rect(5, 2, 18, 20, h, w)
    wants = []
    for n, name in enumerate(("aaa-1", "bbb-2")):
        stack = np.stack([picture(50 * n + i, h, w) for i in range(12)])
        labels = np.zeros_like(stack)
        labels[3][best] = 1
        labels[9][fair] = 2
        mha(top / f"images/stacked_fetal_ultrasound/{name}.mha", stack)
        mha(top / f"masks/stacked_fetal_abdomen/{name}.mha", labels)
        for i, mask, plane in ((3, best, "optimal"), (9, fair, "suboptimal")):
            extra = {"plane": plane, "sweep": 1}
            wants.append(Want(f"{name}.mha", [("abdomen", mask)], stack[i], i, "007", extra=extra))
    rows = "uuid,subject_id,sweep_1_ac_mm\naaa-1,007,\nbbb-2,007,123.4\n"
    text(top / "circumferences/fetal_abdominal_circumferences_per_sweep.csv", rows, "utf-8-sig")
    return Truth(wants, skips={"slice or frame without annotation": 20})
