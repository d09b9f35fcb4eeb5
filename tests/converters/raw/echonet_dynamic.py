""".avi in one table only, the long axis first, frames from 0, a frame beyond the end, no tracing."""

import numpy as np

from tests.kit.archives import Truth, Want, picture, rect, text, video


def make(root):
    top = root / "EchoNet-Dynamic"
    frames = [picture(i, 112, 112) for i in range(5)]
    names = [f"0X10{i}" for i in range(4)]
    for name in names[:3]:
        video(top / f"Videos/{name}.avi", frames)
    rows = ["FileName,X1,Y1,X2,Y2,Frame"]

    def trace(name, frame, y0, x0, y1, x1):
        rows.append(f"{name}.avi,0,0,111,111,{frame}")
        rows.extend(f"{name}.avi,{x0 + 0.2},{y + 0.4},{x1 - 1.3},{y - 0.4},{frame}" for y in range(y0, y1))

    trace(names[0], 0, 20, 30, 60, 70)
    trace(names[0], 3, 25, 30, 50, 60)
    trace(names[1], 2, 20, 30, 60, 70)
    trace(names[1], 9, 20, 30, 60, 70)
    trace(names[3], 1, 20, 30, 60, 70)
    text(top / "VolumeTracings.csv", "\n".join(rows))
    table = "FileName,EF,NumberOfFrames,Split\n"
    table += "".join(f"{n},50,5,{s}\n" for n, s in zip(names, ("TRAIN", "TEST", "VAL", "VAL"), strict=True))
    text(top / "FileList.csv", table)
    big, small = rect(20, 30, 60, 70, 112, 112), rect(25, 30, 50, 60, 112, 112)
    wants = [
        Want(f"{names[0]}.avi", [("left_ventricle", big)], frames[0], 0, names[0], "train"),
        Want(f"{names[0]}.avi", [("left_ventricle", small)], frames[3], 3, names[0], "train"),
        Want(f"{names[1]}.avi", [("left_ventricle", big)], frames[2], 2, names[1], "test"),
    ]
    assert np.ptp(frames[0]) > 0
    skips = {"video without tracing": 1, "traced frame beyond the end of the video": 1}
    return Truth(wants, [f"{names[3]}.avi...missing"], skips)
