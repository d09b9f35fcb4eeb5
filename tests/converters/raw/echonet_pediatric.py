"""Rows without a phase, frames from 1, an exam in both views, endings or none, two-point contours."""

from tests.kit.archives import Truth, Want, picture, rect, text, video


def make(root):
    top = root / "echonetpediatric/pediatric_echo_avi/pediatric_echo_avi"
    frames = [picture(i, 112, 112) for i in range(5)]
    box = ((30, 20), (69, 20), (69, 59), (30, 59))
    mask = rect(20, 30, 60, 70, 112, 112)
    first, other = "CR32a7555-CR32a7582-000039", "CR32a7555-CR32a9999-000040"
    both = "CR32a7555-CR32a7582-000041"
    videos = {"A4C": ((first, 0), (other, 8)), "PSAX": ((both, 0),)}
    for view, listed in videos.items():
        rows, table = ["FileName,X,Y,Frame"], ["FileName,EF,Sex,Age,Weight,Height,Split"]
        for name, fold in listed:
            video(top / f"{view}/Videos/{name}.avi", frames)
            table.append(f"{name},60,F,3,10,90,{fold}")
            rows += [f"{name}.avi,{x},{y},5" for x, y in box]
        rows += [
            f"{listed[0][0]}.avi,0,0,No Systolic",
            f"{listed[0][0]}.avi,1,1,2",
            f"{listed[0][0]}.avi,1,2,2",
        ]
        text(top / f"{view}/VolumeTracings.csv", "\n".join(rows))
        text(top / f"{view}/FileList.csv", "\n".join(table))
    lv = [("left_ventricle", mask)]
    wants = [
        Want(f"A4C/Videos/{first}.avi", lv, frames[4], 4, "CR32a7555-CR32a7582", "train"),
        Want(f"A4C/Videos/{other}.avi", lv, frames[4], 4, "CR32a7555-CR32a9999", "val"),
        Want(f"PSAX/Videos/{both}.avi", lv, frames[4], 4, "CR32a7555-CR32a7582", "train"),
    ]
    return Truth(
        wants, [], {"row `No Systolic` or `No Diastolic`": 2, "contour of fewer than three points": 2}
    )
