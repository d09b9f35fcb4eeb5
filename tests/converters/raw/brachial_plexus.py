"""Black masks, a needle list with gaps, JPEG masks, a demo folder, a video without masks."""

from tests.kit.archives import Truth, Want, gray8, jpg, picture, rect, text, video


def make(root):
    top = root / "brachial_plexus/data"
    nerve, needle = rect(8, 8, 24, 32), rect(16, 16, 20, 56)
    frames = [picture(i) for i in range(4)]
    video(top / "eSaote/videos/1032.mp4", frames, "mp4v")
    for i in range(4):
        jpg(top / f"eSaote/ac_masks/1032/1032_{i:03d}.jpg", gray8(nerve if i in (1, 2) else nerve & False))
    video(top / "Sonosite/videos/s071.mp4", frames, "mp4v")
    for i in range(4):
        jpg(top / f"Sonosite/ac_masks/s071/s071_{i:03d}.jpg", gray8(nerve if i == 0 else nerve & False))
    jpg(top / "Sonosite/needle/needle_masks/s071/s071_002.jpg", gray8(needle))
    jpg(top / "Sonosite/needle/needle_masks/s071/s071_009.jpg", gray8(needle))
    text(top / "Sonosite/needle/needle_masks/readme.md", "needle")
    video(top / "Butterfly/videos/b240.mp4", frames, "mp4v")
    video(top / "demo/P_021_09.mp4", frames, "mp4v")
    jpg(top / "demo/P_021_09_masks/P_021_09_000.jpg", gray8(nerve))
    wants = [
        Want("1032.mp4", [("nerve_plexus", nerve)], frame=1, subject="1032"),
        Want("1032.mp4", [("nerve_plexus", nerve)], frame=2),
        Want("s071.mp4", [("nerve_plexus", nerve)], frame=0, subject="s071"),
        Want("s071.mp4", [("needle", needle)], frame=2),
    ]
    skips = {
        "demo video (another layout, may repeat a case)": 1,
        "slice or frame without annotation": 4,
        "mask beyond the end of the video": 1,
    }
    return Truth(wants, ["b240.mp4...no masks in ac_masks/b240"], skips)
