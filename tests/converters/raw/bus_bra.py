"""Both views of a case, fold 1 as test, NaN flags, a wrong width, 1-bit masks, an unlisted image."""

from tests.kit.archives import Truth, Want, bits, picture, rect, save, text


def make(root):
    top = root / "BUSBRA"
    mask, other = rect(6, 8, 20, 20), rect(24, 30, 40, 50)
    for n, name in enumerate(("0001-l", "0001-r", "0002-s", "0003-s")):
        save(top / f"Images/bus_{name}.png", picture(n))
        bits(top / f"Masks/mask_{name}.png", other if n % 2 else mask)
    folds = "ID,Pathology,kFold,valid_1,valid_2\nbus_0001-l,malignant,3,1,NaN\n"
    folds += "bus_0001-r,malignant,3,0,NaN\nbus_0002-s,benign,1,NaN,1\n"
    cases = "ID,Case,Histology,Pathology,Width,Height,Side,BBOX\n"
    cases += (
        'bus_0001-l,1,x,malignant,999,48,left,"[1,2,3,4]"\nbus_0001-r,1,x,malignant,64,48,right,"[1,2,3,4]"\n'
    )
    cases += 'bus_0002-s,2,x,benign,64,48,single,"[1,2,3,4]"\n'
    text(top / "5-fold-cv.csv", folds)
    text(top / "bus_data.csv", cases)
    wants = [
        Want("bus_0001-l.png", [("breast_nodule_malignant", mask)], picture(0), subject="1", split="train"),
        Want("bus_0001-r.png", [("breast_nodule_malignant", other)], picture(1), subject="1", split="train"),
        Want("bus_0002-s.png", [("breast_nodule_benign", mask)], picture(2), subject="2", split="test"),
    ]
    return Truth(wants, ["bus_0003-s...not listed"])
