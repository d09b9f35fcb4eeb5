"""RGB order, alpha, anti-aliased pixels, tinted background, images without mask, simulated images."""

from tests.kit.archives import Truth, Want, paint, picture, rect, rgba, save


def make(root):
    top = root / "abdominal_US/abdominal_US"
    kidney, vessel, rim = rect(5, 5, 20, 20), rect(25, 30, 40, 50), rect(5, 20, 20, 21)
    colors = {(255, 255, 0): kidney, (245, 250, 10): rim, (255, 0, 0): vessel}
    mask = paint({(10, 0, 10): rect(44, 0, 48, 64), (10, 10, 10): rect(0, 0, 2, 64), **colors})
    save(top / "RUS/images/test/a.jpg", picture(1, color=True), quality=95)
    save(top / "RUS/images/test/b.jpg", picture(2, color=True))
    save(top / "RUS/images/train/a.jpg", picture(3, color=True))
    save(top / "RUS/annotations/test/a.png", rgba(mask, 255))
    save(top / "AUS/images/test/a.png", picture(4, color=True))
    save(top / "AUS/annotations/test/a.png", paint({(0, 0, 255): kidney}))
    want = Want("RUS/images/test/a.jpg", [("kidney", kidney | rim), ("vessels", vessel)])
    return Truth([want], skips={"real image without mask": 2, "simulated image (AUS)": 1})
