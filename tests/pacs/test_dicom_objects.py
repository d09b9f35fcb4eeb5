"""SEG and SR as other software sees them: dciodvfy, highdicom, SimpleITK, pydicom."""

import itertools
import json
import shutil
import subprocess
from functools import partial

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.sr import _concepts_dict

from tests.kit.pictures import noise
from tests.kit.scans import SPACING, write_scan
from tests.pacs.conftest import NAMES, SIZE, blobs, found
from ultrasam import pacs
from ultrasam.cli.main import main
from ultrasam.errors import DataError
from ultrasam.pacs.codes import coded
from ultrasam.predict.predictor import Predictor


@pytest.mark.parametrize("kind", ["seg", "sr"])
def test_dciodvfy_finds_no_error(case, kind):
    if not shutil.which("dciodvfy"):
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")
    assert errors_in(case.path) == []
    assert errors_in(getattr(case, kind)) == []


def errors_in(path):
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    # It names the kind of object that it took the file for: what it says of no other kind counts.
    assert any(name in lines for name in ("Segmentation", "ComprehensiveSR", "USImage", "USMultiFrameImage"))
    return [line for line in lines if line.startswith("Error")]


def test_dciodvfy_would_find_one(case, tmp_path):
    if not shutil.which("dciodvfy"):
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")
    spoiled = pydicom.dcmread(case.seg)
    del spoiled.SegmentSequence[0].SegmentAlgorithmType
    spoiled.save_as(tmp_path / "spoiled.dcm")
    assert errors_in(tmp_path / "spoiled.dcm")


def test_highdicom_reads_the_same_pixels_by_source_frame(case):
    seg = highdicom.seg.segread(case.seg)
    if case.result.images.still:
        pixels = seg.get_pixels_by_source_instance([case.scan.SOPInstanceUID])
    else:
        pixels = seg.get_pixels_by_source_frame(case.scan.SOPInstanceUID, [1, 2, 3])
    assert np.array_equal(pixels.transpose(0, 3, 1, 2), case.masks)
    assert [seg.get_segment_description(n).segment_label for n in (1, 2, 3, 4)] == [
        f"{n} {name}" for n, name in enumerate(NAMES, 1)
    ]


def test_simpleitk_reads_the_same_pixels(case):
    itk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed (extra 'dev')")
    pixels = itk.GetArrayFromImage(itk.ReadImage(str(case.seg))) > 0
    # By segment, then by frame.
    assert np.array_equal(pixels, case.masks.transpose(1, 0, 2, 3).reshape(-1, *SIZE))


@pytest.mark.parametrize("size", [(3, 3), (5, 1), (1, 16)])
def test_frames_of_any_size_are_packed(tmp_path, size):
    """With bits left in the last byte, and with an odd number of bytes."""
    write_scan(tmp_path / "scan.dcm", np.zeros((3, *size, 3), dtype=np.uint8))
    masks = np.random.default_rng(0).integers(0, 2, (3, *size)).astype(bool)
    findings = [pacs.Finding(f, 1, "liver", partial(np.copy, mask), 1.0) for f, mask in enumerate(masks)]
    result = pacs.Result(pacs.SourceImages.read(tmp_path / "scan.dcm"), findings)
    pacs.write_segmentation(result, tmp_path / "seg.dcm")
    made = pydicom.dcmread(tmp_path / "seg.dcm")
    assert np.array_equal(made.pixel_array > 0, masks) and len(made.PixelData) % 2 == 0


def test_every_frame_names_its_source_frame(case):
    seg = pydicom.dcmread(case.seg)
    groups = seg.PerFrameFunctionalGroupsSequence
    sources = [group.DerivationImageSequence[0].SourceImageSequence[0] for group in groups]
    assert {item.ReferencedSOPInstanceUID for item in sources} == {case.scan.SOPInstanceUID}
    referred = [item.get("ReferencedFrameNumber") for item in sources]
    assert referred == ([None] * 4 if case.result.images.still else [1, 2, 3] * 4)
    assert [g.SegmentIdentificationSequence[0].ReferencedSegmentNumber for g in groups] == sorted(
        [1, 2, 3, 4] * len(case.masks)
    )
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == case.scan.SeriesInstanceUID


def groups_of(case):
    content = highdicom.sr.srread(case.sr).content
    return content.get_planar_roi_measurement_groups()


def test_outlines_filled_are_the_masks(case):
    """By the even-odd rule at the centers of pixels, counted here without our code or OpenCV."""
    groups = groups_of(case)
    assert len(groups) == case.masks.any(axis=(2, 3)).sum()
    for group in groups:
        region = group.roi
        frame = (region.ContentSequence[0].ReferencedSOPSequence[0].get("ReferencedFrameNumber") or 1) - 1
        number = int(group.tracking_identifier.split()[0])
        assert region.graphic_type.value == "POLYLINE"
        assert np.array_equal(region.value[0], region.value[-1])
        assert np.array_equal(inside(region.value), case.masks[frame, number - 1])


def inside(outline):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    crossings = np.zeros(SIZE, dtype=int)
    for (x1, y1), (x2, y2) in itertools.pairwise(outline):
        if y1 != y2:
            at = x1 + (y - y1) * (x2 - x1) / (y2 - y1)
            crossings += ((y1 <= y) != (y2 <= y)) & (x < at)
    return crossings % 2 == 1


def test_measurements_are_those_of_the_segmentation(tiny_model, tmp_path):
    """Each number and unit of the report, against the predictor's own."""
    rng = np.random.default_rng(1)
    scan = write_scan(tmp_path / "scan.dcm", rng.integers(0, 256, SIZE, dtype=np.uint8))
    predictor = Predictor(tiny_model, device="cpu")
    predictor.set_image(scan.pixel_array)
    prediction = predictor.segment([pacs_box([5, 5, 40, 30]), pacs_box([20, 10, 60, 40])])
    assert prediction.masks.any(axis=(1, 2)).all()
    findings = pacs.findings(prediction, ["liver", "cyst"], spacing=SPACING)
    result = pacs.Result(pacs.SourceImages.read(tmp_path / "scan.dcm"), findings)
    pacs.write_report(result, tmp_path / "scan.sr.dcm")
    groups = highdicom.sr.srread(tmp_path / "scan.sr.dcm").content.get_planar_roi_measurement_groups()
    for group, size, score in zip(groups, prediction.measurements(SPACING), prediction.scores, strict=True):
        told = {m.name.meaning: (m.value, m.unit.value) for m in group.get_measurements()}
        assert told["Area"] == (pytest.approx(size.area_mm2, abs=5e-4), "mm2")
        assert told["Long Axis"] == (pytest.approx(size.long_mm, abs=5e-4), "mm")
        assert told["Short Axis"] == (pytest.approx(size.short_mm, abs=5e-4), "mm")
        iou = told["Predicted intersection over union"]
        assert iou == (pytest.approx(float(score), abs=1e-6), "{ratio}")


def pacs_box(box):
    from ultrasam.predict.object_prompt import ObjectPrompt

    return ObjectPrompt(box=box)


def test_without_spacing_there_are_no_millimeters(tmp_path):
    write_scan(tmp_path / "scan.dcm", np.zeros(SIZE, dtype=np.uint8))
    mask = blobs(1)[0, 0]
    finding = pacs.Finding(0, 1, "liver", lambda: mask, 0.5, {}, quality=0.25)
    result = pacs.Result(pacs.SourceImages.read(tmp_path / "scan.dcm"), [finding])
    pacs.write_report(result, tmp_path / "scan.sr.dcm")
    (group,) = highdicom.sr.srread(tmp_path / "scan.sr.dcm").content.get_planar_roi_measurement_groups()
    told = {m.name.meaning: m.value for m in group.get_measurements()}
    assert told == {"Predicted intersection over union": 0.5, "Predicted quality": 0.25}


def test_what_the_quality_option_tells_is_in_the_report(tiny_weights, tmp_path):
    write_scan(tmp_path / "scan.dcm", noise(*SIZE)[..., 0])
    args = ["predict", tmp_path / "scan.dcm", "--checkpoint", tiny_weights, "--box", "5,5,40,30", "--quality"]
    args += ["--dicom-sr", "--out", tmp_path / "out", "--quiet", "--device", "cpu"]
    assert main([*map(str, args)]) == 0
    (entry,) = json.loads((tmp_path / "out/predictions.json").read_text())["annotations"]
    content = highdicom.sr.srread(tmp_path / "out/dicom/scan.sr.dcm").content
    (group,) = content.get_planar_roi_measurement_groups()
    (told,) = [m.value for m in group.get_measurements() if m.name.value == "PREDICTED_QUALITY"]
    assert told == pytest.approx(entry["quality"], abs=1e-6)
    assert "Algorithm Name" in str(pydicom.dcmread(tmp_path / "out/dicom/scan.sr.dcm"))


def test_patient_and_study_are_the_sources(case):
    for path in (case.seg, case.sr):
        made = pydicom.dcmread(path)
        assert str(made.PatientName) == "Müller^Jörg" and made.SpecificCharacterSet == "ISO_IR 192"
        for name in ("PatientID", "PatientSex", "StudyInstanceUID", "StudyDate", "AccessionNumber"):
            assert made[name].value == case.scan[name].value
        assert made.SeriesInstanceUID != case.scan.SeriesInstanceUID
    seg, sr = pydicom.dcmread(case.seg), pydicom.dcmread(case.sr)
    assert seg.SeriesInstanceUID != sr.SeriesInstanceUID
    assert seg.LossyImageCompression == case.scan.LossyImageCompression
    assert (sr.VerificationFlag, sr.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


def test_an_object_has_one_uid_in_segmentation_and_report(case):
    of_segments = {s.TrackingUID for s in pydicom.dcmread(case.seg).SegmentSequence}
    assert of_segments == {group.tracking_uid for group in groups_of(case)}
    assert len(of_segments) == len(NAMES)


def test_the_same_result_is_the_same_instance(case, tmp_path, monkeypatch):
    """Written over itself it is the same to the byte; elsewhere, all but the time at which it was made."""
    for path, write in ((case.seg, pacs.write_segmentation), (case.sr, pacs.write_report)):
        before, made = path.read_bytes(), pydicom.dcmread(path)
        write(case.result, tmp_path / path.name)
        again = pydicom.dcmread(tmp_path / path.name)
        lines = zip(*(str(dataset).splitlines() for dataset in (made, again)), strict=True)
        times = ("Instance Creation", "Content Date", "Content Time", "Contribution DateTime")
        assert [one for one, other in lines if one != other and not any(t in one for t in times)] == []
        assert (tmp_path / path.name).read_bytes() != before
        write(case.result, path)
        assert path.read_bytes() == before
    monkeypatch.setattr("ultrasam.__version__", "0.0.1")
    pacs.write_segmentation(case.result, tmp_path / "other.dcm")
    assert pydicom.dcmread(tmp_path / "other.dcm").SOPInstanceUID != made.SOPInstanceUID
    monkeypatch.undo()
    masks = case.masks.copy()
    # As many pixels, in other places.
    masks[0, 0] = np.roll(masks[0, 0], 1, axis=1)
    other = pacs.Result(case.result.images, found(masks), case.result.maker)
    assert other.identity("SEG")["sop_instance_uid"] != case.result.identity("SEG")["sop_instance_uid"]
    assert other.identity("SEG")["series_instance_uid"] == case.result.identity("SEG")["series_instance_uid"]


def test_what_made_it_is_named(case):
    segment = pydicom.dcmread(case.seg).SegmentSequence[0]
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert algorithm.AlgorithmName == "UltraSam tiny" and "refine" in algorithm.AlgorithmParameters
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"


def test_frames_that_are_not_there_leave_a_valid_segmentation(tmp_path):
    """Of a clip whose second frame can't be read, and of an object that is lost in the third."""
    scan = write_scan(tmp_path / "clip.dcm", np.zeros((5, *SIZE, 3), dtype=np.uint8))
    kept = [(0, 1), (0, 2), (2, 2), (3, 1), (3, 2), (4, 1), (4, 2)]
    masks = np.random.default_rng(0).integers(0, 2, (len(kept), *SIZE)).astype(bool)
    findings = [
        pacs.Finding(*place, "liver", partial(np.copy, mask), 1.0)
        for place, mask in zip(kept, masks, strict=True)
    ]
    result = pacs.Result(pacs.SourceImages.read(tmp_path / "clip.dcm"), findings)
    pacs.write_segmentation(result, tmp_path / "seg.dcm")
    pacs.write_report(result, tmp_path / "sr.dcm")
    if shutil.which("dciodvfy"):
        assert errors_in(tmp_path / "seg.dcm") == errors_in(tmp_path / "sr.dcm") == []
    pixels = highdicom.seg.segread(tmp_path / "seg.dcm").get_pixels_by_source_frame(
        scan.SOPInstanceUID, [1, 3, 4, 5], assert_missing_frames_are_empty=True
    )
    expected = np.zeros((5, 2, *SIZE), dtype=bool)
    for (frame, number), mask in zip(kept, masks, strict=True):
        expected[frame, number - 1] = mask
    assert np.array_equal(pixels.transpose(0, 3, 1, 2), expected[[0, 2, 3, 4]])


def test_a_still_that_states_one_frame_is_a_still(tmp_path):
    """Its class has no frames: a reference with a frame number is against the standard."""
    write_scan(tmp_path / "scan.dcm", np.zeros(SIZE, dtype=np.uint8), NumberOfFrames=1)
    images = pacs.SourceImages.read(tmp_path / "scan.dcm")
    result = pacs.Result(images, found(blobs(1)))
    pacs.write_segmentation(result, tmp_path / "seg.dcm")
    pacs.write_report(result, tmp_path / "sr.dcm")
    assert images.still and images.number_of(0) is None
    if shutil.which("dciodvfy"):
        assert errors_in(tmp_path / "seg.dcm") == errors_in(tmp_path / "sr.dcm") == []


def test_single_images_of_a_series_are_one_clip(tmp_path):
    paths = [tmp_path / f"{i}.dcm" for i in range(3)]
    shared = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4"}
    scans = [
        write_scan(path, np.zeros(SIZE, dtype=np.uint8), InstanceNumber=i + 1, **shared)
        for i, path in enumerate(paths)
    ]
    masks = blobs(3)
    result = pacs.Result(pacs.SourceImages.read(*paths), found(masks))
    pacs.write_segmentation(result, tmp_path / "seg.dcm")
    pacs.write_report(result, tmp_path / "sr.dcm")
    if shutil.which("dciodvfy"):
        assert errors_in(tmp_path / "seg.dcm") == errors_in(tmp_path / "sr.dcm") == []
    pixels = highdicom.seg.segread(tmp_path / "seg.dcm").get_pixels_by_source_instance(
        [scan.SOPInstanceUID for scan in scans]
    )
    assert np.array_equal(pixels.transpose(0, 3, 1, 2), masks)


def test_codes_are_those_of_the_standard():
    """pydicom's dictionary is made of DICOM part 16; spelling of case aside, meanings are its own."""
    from ultrasam.pacs.codes import _table

    known = {}
    for entries in _concepts_dict.concepts["SCT"].values():
        for code, (meaning, _) in entries.items():
            known.setdefault(code, set()).add(meaning.lower())
    table = _table()
    pairs = [*table["categories"].values()]
    for entry in table["names"].values():
        pairs += [entry["type"], *([entry["region"]] if "region" in entry else [])]
    assert [pair for pair in pairs if pair[1].lower() not in known.get(pair[0], ())] == []


def test_what_the_data_sets_call_things_has_codes():
    from ultrasam.converters import registry

    names = {c.name for name in registry.names() for c in registry.get(name).categories}
    # Artifacts of the picture, marks, and tissue that part 16 has no code for.
    without = {"A_line", "B_line", "B_line_confluence", "landmark", "aponeurosis", "other_finding", "pubis"}
    without |= {"cerebrospinal_fluid", "dorsal_space", "ventral_space", "intima_media"}
    without |= {"dura_pia_complex", "dura_ventral_complex"}
    assert {name for name in names if not coded(name).known} == without


def test_an_unknown_name_is_tissue_and_says_so(case):
    code = coded("gizmo ä")
    assert (code.kind.value, code.region, code.known) == ("85756007", None, False)
    segments = pydicom.dcmread(case.seg).SegmentSequence
    assert segments[2].SegmentDescription == "UltraSam has no code for 'gizmo ä'"
    assert "SegmentDescription" not in segments[0]
    assert (
        coded("Thyroid-Nodule") == coded("thyroid_nodule")
        and coded("thyroid_nodule").region.value == "69748006"
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"StudyInstanceUID": ""}, "no valid StudyInstanceUID"),
        ({"SOPInstanceUID": "1.02.x"}, "no valid SOPInstanceUID"),
        ({"PatientSex": "X"}, "PatientSex is 'X'"),
        ({"PatientBirthDate": "1970"}, "PatientBirthDate is damaged"),
    ],
)
def test_headers_that_cannot_be_referred_to_are_refused(tmp_path, changes, told):
    from pydicom import config

    with config.disable_value_validation():
        write_scan(tmp_path / "scan.dcm", np.zeros(SIZE, dtype=np.uint8))
        scan = pydicom.dcmread(tmp_path / "scan.dcm")
        for name, value in changes.items():
            setattr(scan, name, value)
        scan.save_as(tmp_path / "scan.dcm")
    with pytest.raises(DataError, match=told):
        pacs.SourceImages.read(tmp_path / "scan.dcm")


def test_pictures_are_no_source(tmp_path):
    (tmp_path / "scan.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 200)
    with pytest.raises(DataError, match=r"scan\.png"):
        pacs.SourceImages.read(tmp_path / "scan.png")


def test_results_that_do_not_fit_are_refused(case, tmp_path):
    images, findings = case.result.images, found(case.masks)
    with pytest.raises(DataError, match="no object"):
        pacs.Result(images, [])
    with pytest.raises(DataError, match="two masks in frame 0"):
        pacs.Result(images, [findings[0], findings[0]])
    with pytest.raises(DataError, match="without gaps"):
        pacs.Result(images, findings[1:2])
    small = pacs.Finding(0, 1, "liver", lambda: np.ones((4, 4), dtype=bool), 1.0)
    with pytest.raises(DataError, match="4 x 4 pixels, its image 67 x 46"):
        pacs.write_segmentation(pacs.Result(images, [small]), tmp_path / "seg.dcm")
    late = pacs.Finding(3, 1, "liver", findings[0].read, 1.0)
    with pytest.raises(DataError, match="frame 3 is none"):
        pacs.write_report(pacs.Result(images, [late]), tmp_path / "sr.dcm")
    empty = pacs.Finding(0, 1, "liver", lambda: np.zeros(SIZE, dtype=bool), 1.0)
    with pytest.raises(DataError, match="all masks are empty"):
        pacs.write_report(pacs.Result(images, [empty]), tmp_path / "sr.dcm")
    assert not list(tmp_path.iterdir())
