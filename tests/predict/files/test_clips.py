"""Volumes, series and videos as clips, with their geometry, order and times."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import SimpleITK

from tests.kit.fuzz_files import dicom_bytes
from tests.kit.pictures import noise
from tests.predict.files.test_sources import frames, video_reader  # noqa: F401
from ultrasam.errors import DataError
from ultrasam.predict.files import sources, video, volume

VOXELS = np.random.default_rng(0).integers(0, 255, (4, 5, 6), dtype=np.uint8)
GEOMETRY = ((0.3, 0.4, 1.5), (5.0, -6.0, 7.0), (0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0))


def write_volume(path, values=VOXELS, compressed=False):
    image = SimpleITK.GetImageFromArray(values, isVector=values.ndim == 4)
    if values.ndim > 2:
        image.SetSpacing(GEOMETRY[0])
        image.SetOrigin(GEOMETRY[1])
        image.SetDirection(GEOMETRY[2])
    SimpleITK.WriteImage(image, str(path), useCompression=compressed)
    return path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("end", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_slices_and_labels_of_volumes(tmp_path, end, compressed):
    path = write_volume(tmp_path / f"a.b{end}", compressed=compressed)
    assert sources.names([sources.Source(path, path.name)]) == ["a.b"]
    for axis, name, spacing in ((0, "z", (0.3, 0.4)), (1, "y", (0.3, 1.5)), (2, "x", (0.4, 1.5))):
        found = list(sources.frames(sources.Source(path, path.name), "v", axis=name))
        assert [frame.number for frame in found] == list(range(VOXELS.shape[axis]))
        for frame in reversed(found):
            assert np.array_equal(frame.read()[..., 0], VOXELS.take(frame.number, axis))
        assert found[0].spacing_of.at((0, 0, 2, 2)) == (pytest.approx(spacing), "volume")
        opened = volume.open_volume(path, name)
        labels = (VOXELS > 99).astype(np.uint8)
        target = tmp_path / f"labels{volume.LABEL_ENDINGS.get(end, end)}"
        opened.write_labels(target, {i: labels.take(i, axis) for i in range(VOXELS.shape[axis])})
        back, source = SimpleITK.ReadImage(str(target)), SimpleITK.ReadImage(str(path))
        assert np.array_equal(SimpleITK.GetArrayFromImage(back), labels)
        for one, other in (
            (b(), s())
            for b, s in (
                (getattr(back, n), getattr(source, n)) for n in ("GetSpacing", "GetOrigin", "GetDirection")
            )
        ):
            assert one == pytest.approx(other)


def test_volumes_that_are_none(tmp_path):
    flat = write_volume(tmp_path / "flat.nii", VOXELS[0])
    found, told = frames(flat)
    assert not told and found[0][0] is None and np.array_equal(found[0][1][..., 0], VOXELS[0])
    deep = write_volume(tmp_path / "deep.mha", VOXELS.astype(np.int16) * 9)
    assert (
        "int16: say which values are black" in frames(deep)[1][0] and len(frames(deep, (0, 255 * 9))[0]) == 4
    )
    image = SimpleITK.GetImageFromArray(np.zeros((2, 3, 4, 5), np.uint8), isVector=False)
    SimpleITK.WriteImage(image, str(tmp_path / "four.nii"))
    assert "has 4 dimensions" in frames(tmp_path / "four.nii")[1][0]
    for end in (".nii", ".nii.gz", ".nrrd", ".mha"):
        (tmp_path / f"text{end}").write_bytes(b"some text")
        assert f"text{end} is not a readable volume" in frames(tmp_path / f"text{end}")[1][0]
    whole = write_volume(tmp_path / "cut.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    assert "cut.nii.gz is damaged or cut off" in frames(tmp_path / "cut.nii.gz")[1][0]
    whole = write_volume(tmp_path / "cut.mha").read_bytes()
    (tmp_path / "cut.mha").write_bytes(whole[:-40])
    found, told = frames(tmp_path / "cut.mha")
    assert [number for number, _ in found] == [0, 1] and "slice 2 can't be read" in told[0]


def instance(folder, name, value, number, size=8, **tags):
    tags = {"SeriesInstanceUID": "1.2.3", "InstanceNumber": number, **tags}
    (folder / name).write_bytes(dicom_bytes(np.full((1, size, 8), value, np.uint8), **tags))


def test_a_series_is_one_clip_in_instance_order(tmp_path):
    for name, value, number in (("c.dcm", 10, 1), ("a.dcm", 30, 10), ("b", 20, 2)):
        instance(tmp_path, name, value, number)
    instance(tmp_path, "other.dcm", 99, 1, SeriesInstanceUID="1.2.4")
    (tmp_path / "clip.dcm").write_bytes(dicom_bytes(np.zeros((2, 8, 8), np.uint8), SeriesInstanceUID="1.2.3"))
    found = sources.join_series(sources.find([tmp_path]))
    assert [source.file_name for source in found] == ["c.dcm", "clip.dcm", "other.dcm"]
    clip = list(sources.frames(found[0], "s"))
    assert [(f.number, f.name, f.read().max()) for f in clip] == [
        (0, "s_00000", 10),
        (1, "s_00001", 20),
        (2, "s_00002", 30),
    ]
    instance(tmp_path, "odd.dcm", 40, 3, size=6)
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:-3])
    source = sources.join_series(sources.find([tmp_path]))[0]
    walk, numbers = sources.frames(source, "s"), []
    with pytest.raises(
        DataError, match=r"frame 1: .*cut off.*; frame 2: .*odd\.dcm has 8 x 6 pixels where its"
    ):
        for frame in walk:
            numbers.append(frame.number)
    assert numbers == [0, 3]


def encode(path, times, *, turned=0, codec="libx264", size=(48, 64)):
    """A video whose frames are shown at times in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = size
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 1000)
        stream.gop_size = 4
        if turned:
            stream.set_display_rotation(turned)
        for number, time in enumerate(times):
            picture = cv2.GaussianBlur(noise(*size, seed=number), (0, 0), 3)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_times_of_videos_with_a_varying_rate(tmp_path, video_reader):  # noqa: F811
    times = [0, 40, 60, 200, 240, 900, 940, 1000]
    encode(tmp_path / "a.mp4", times)
    source = sources.Source(tmp_path / "a.mp4", "a.mp4")
    found = list(sources.frames(source, "a"))
    assert [frame.number for frame in found] == list(range(8))
    assert [frame.time for frame in found] == pytest.approx([t / 1000 for t in times], abs=1e-3)
    assert video.size(tmp_path / "a.mp4") == (8, 48, 64)


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_turned_videos_stand_upright(tmp_path, turned):
    encode(tmp_path / "a.mp4", [0, 40], turned=turned)
    capture = cv2.VideoCapture(str(tmp_path / "a.mp4"), cv2.CAP_FFMPEG)
    truth = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
    capture.release()
    found, told = frames(tmp_path / "a.mp4")
    assert not told and found[0][1].shape == truth.shape == ((48, 64, 3) if turned == 180 else (64, 48, 3))
    assert np.abs(found[0][1].astype(int) - truth).mean() < 2
    assert video.size(tmp_path / "a.mp4")[1:] == truth.shape[:2]


def test_a_damaged_frame_within_a_video_is_named(tmp_path):
    path = tmp_path / "a.mp4"
    encode(path, range(0, 480, 40))
    with av.open(str(path)) as container:
        places = [(p.pts, p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    _, at, size = sorted(places)[5]
    data[at + 4 : at + size] = bytes(size - 4)
    path.write_bytes(data)
    found, told = frames(path)
    numbers = [number for number, _ in found]
    assert 5 not in numbers and {0, 1, 2, 3, 8, 9, 10, 11} <= set(numbers)
    assert len(told) == 1 and f"{12 - len(numbers)} of its 12 frames are missing (" in told[0]


def test_frames_made_from_a_missing_one_are_named(tmp_path):
    """Every fourth frame is a whole picture, the others are differences from the one before."""
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.gop_size = 48, 64, "yuv420p", 4
        for number in range(12):
            picture = cv2.GaussianBlur(noise(48, 64, seed=number), (0, 0), 3)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    assert not frames(path)[1]
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    places = [(p.pos, p.size) for p in packets if p.is_keyframe]
    keys = [number for number, p in enumerate(packets) if p.is_keyframe]
    at, size = places[1]
    data = bytearray(path.read_bytes())
    data[at + 8 : at + size] = bytes(size - 8)
    path.write_bytes(data)
    found, told = frames(path)
    first, after = keys[1], keys[2]
    assert [number for number, _ in found] == [n for n in range(len(packets)) if n != first]
    assert f"missing ({first})" in told[0]
    assert f"frames {first + 1} to {after - 1} are made from missing ones and may be wrong" in told[0]


def test_lists_of_addresses_are_no_videos(tmp_path):
    """FFmpeg would open what they name."""
    other = tmp_path / "other.ts"
    encode(other, [0, 40], codec="mpeg4")
    (tmp_path / "a.mp4").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n"
    )
    found, told = frames(tmp_path / "a.mp4")
    assert not found and "is not a readable video" in told[0]
