"""Two bands in a mask, one along the border, fascicles to leave out, an image without mask."""

from tests.kit.archives import Truth, Want, gray8, picture, rect, save


def make(root):
    top, bands = root / "DL_Track", rect(10, 0, 14, 64) | rect(46, 0, 48, 60)
    for n in (1, 2, 3):
        save(top / f"apo_images/img_{n:05d}.tif", picture(n, color=True))
        save(top / f"fasc_images_S/img_{n:05d}.tif", picture(n))
        save(top / f"fasc_masks_S/img_{n:05d}.tif", gray8(bands))
    for n in (1, 2):
        save(top / f"apo_masks/img_{n:05d}.tif", gray8(bands))
    objects = [("aponeurosis", rect(10, 0, 14, 64)), ("aponeurosis", rect(46, 0, 48, 60))]
    wants = [Want(f"apo_images/img_{n:05d}.tif", objects, picture(n, color=True)) for n in (1, 2)]
    reason = "image with fascicles, many of which repeat another under another number"
    return Truth(wants, ["img_00003.tif: image without mask"], {reason: 3})
