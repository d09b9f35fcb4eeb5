"""Structures that overlap, one without points, a name of other case, an unknown one."""

from tests.kit.archives import Truth, Want, dump, picture, rect, ring, save


def make(root):
    top = root / "PFUS1/data"
    bladder, muscle = (4, 4, 20, 30), (10, 20, 40, 50)

    def add(patient, frame, entries):
        save(top / f"{patient}/frame_{frame:03d}.png", picture(frame, color=True))
        labels = [{"label": name, "pol": points} for name, points in entries]
        dump(top / f"{patient}/frame_{frame:03d}.json", labels)

    add("P000", 0, [("Bladder", ring(*bladder)), ("Levator ani muscle", ring(*muscle)), ("Anus", [])])
    add("P001", 0, [("bladder", ring(*bladder))])
    add("P001", 7, [("kidney", ring(*bladder))])
    objects = [("bladder", rect(*bladder)), ("levator_ani_muscle", rect(*muscle))]
    wants = [
        Want("P000/frame_000.png", objects, picture(0, color=True), subject="P000"),
        Want("P001/frame_000.png", objects[:1], picture(0, color=True), subject="P001"),
    ]
    failures = ["P001/frame_007.json...unknown structure 'kidney'"]
    return Truth(wants, failures, {"structure of fewer than three points": 1})
