"""No text and no names are left, and no echo is touched."""

import json

import numpy as np
import pydicom
import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2024b as standard
from pydicom.datadict import dictionary_VR

from tests.kit.fuzz_files import dicom_bytes
from tests.kit.screens import sector_mask, speckle, with_text
from ultrasam.cli.main import main
from ultrasam.errors import DataError
from ultrasam.privacy.attributes import apply_profile
from ultrasam.privacy.sector import find_sector


@pytest.mark.parametrize("seed", range(100, 120))
def test_text_goes_and_echoes_stay(seed):
    rng = np.random.default_rng(seed)
    mask = sector_mask(rng)
    image = with_text(rng, speckle(rng, mask), mask)
    blanked = image * find_sector(image).mask
    assert np.array_equal(blanked[mask], image[mask])
    assert not blanked[~mask].any()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (np.zeros_like, "large enough"),
        (lambda image: np.full_like(image, 99) + np.arange(320, dtype=np.uint8) % 90, "lit"),
        (
            lambda image: np.where(np.indices(image.shape).sum(axis=0) % 97 < 60, image, 0).astype(np.uint8),
            "",
        ),
        (
            lambda image: (
                np.concatenate([image[60:180, 80:240]] * 2, axis=1)[:, ::-1]
                * (np.arange(320) // 4 % 40 != 39)
            ),
            "",
        ),
    ],
)
def test_what_is_not_certain_is_refused(change, reason):
    rng = np.random.default_rng(1)
    image = speckle(rng, sector_mask(rng))
    with pytest.raises(DataError, match=reason):
        find_sector(change(image).astype(np.uint8))


def screens(seed, count, text=True):
    rng = np.random.default_rng(seed)
    mask = sector_mask(rng)
    ink = with_text(np.random.default_rng(5), np.zeros(mask.shape, np.uint8), mask)
    return mask, np.stack([np.maximum(speckle(rng, mask), ink * text) for _ in range(count)])


def patient(**more):
    inside = pydicom.Dataset()
    inside.PatientName, inside.AccessionNumber = "Deep^Inside", "A77"
    return {
        **{"PatientName": "Doe^Jane", "PatientID": "77", "PatientBirthDate": "19700101"},
        **{"StudyInstanceUID": "1.2.88", "SeriesInstanceUID": "1.2.99", "InstitutionName": "Clinic"},
        **{"RequestAttributesSequence": [inside], "StudyDate": "20200202", "PatientComments": "Doe"},
        **more,
    }


@pytest.mark.parametrize("kind", ["still", "clip", "color", "jpeg", "deep", "inverted"])
def test_files(tmp_path, kind, capsys):
    count = 1 if kind in ("still", "deep", "inverted") else 6
    mask, frames = screens(3, count)
    tags = {}
    if kind in ("color", "jpeg"):
        frames = frames[..., None].repeat(3, axis=3)
    if kind == "jpeg":
        tags = {"PhotometricInterpretation": "YBR_FULL_422"}
    if kind == "deep":
        frames = frames.astype(np.uint16) * 16
        tags = {"WindowCenter": 2048, "WindowWidth": 4096}
    if kind == "inverted":
        frames, tags = 255 - frames, {"PhotometricInterpretation": "MONOCHROME1"}
    folder = tmp_path / "Doe"
    folder.mkdir()
    (folder / "Doe.dcm").write_bytes(dicom_bytes(frames, jpegs=kind == "jpeg", **patient(**tags)))
    source = pydicom.dcmread(folder / "Doe.dcm")
    assert main(["data", "deidentify", str(folder), "--out", str(tmp_path / "out")]) == 0
    (path,) = (tmp_path / "out").iterdir()
    written = pydicom.dcmread(path)
    before, after = (d.pixel_array.reshape(count, 240, 320, -1) for d in (source, written))
    black = 255 if kind == "inverted" else 0
    assert np.array_equal(after[:, mask], before[:, mask])
    assert (after[:, ~mask] == black).all() or kind == "jpeg"
    text = (before[:, ~mask] > 90).any(axis=0)
    assert (after[:, ~mask][:, text.any(axis=-1)] < 30).all() or kind == "inverted"
    assert written.PatientIdentityRemoved == "YES"
    assert written.LongitudinalTemporalInformationModified == "REMOVED"
    # Text over the echoes of a still can't be told from them.
    codes = [item.CodeValue for item in written.DeidentificationMethodCodeSequence]
    assert written.get("BurnedInAnnotation") == (None if count == 1 else "NO")
    assert codes == (["113100"] if count == 1 else ["113100", "113101"])
    data = path.read_bytes()
    data = data[: data.rindex(b"\xe0\x7f\x10\x00O")]
    assert not any(word in data for word in (b"Doe", b"Clinic", b"Deep", b"A77", b"20200202", b"1.2.88"))
    report = json.loads((tmp_path / "out_report/report.json").read_text())
    assert report[0]["written"] == path.name and report[0]["blanked"] == pytest.approx(
        1 - mask.mean(), abs=0.05
    )
    assert "<img" in (tmp_path / "out_report/report.html").read_text()


@pytest.mark.parametrize("said", [None, "YES", "NO"])
def test_stills_keep_what_they_say_of_text_until_a_person_has_looked(tmp_path, said):
    _, frames = screens(3, 1)
    tags = {"BurnedInAnnotation": said} if said else {}
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(frames, **patient(**tags)))
    args = ["data", "deidentify", str(tmp_path / "a.dcm"), "--out"]
    assert main([*args, str(tmp_path / "out")]) == 0
    assert main([*args, str(tmp_path / "seen"), "--inspected"]) == 0
    kept, seen = (pydicom.dcmread(tmp_path / name / "00001.dcm") for name in ("out", "seen"))
    assert kept.get("BurnedInAnnotation") == said and len(kept.DeidentificationMethodCodeSequence) == 1
    assert seen.BurnedInAnnotation == "NO" and len(seen.DeidentificationMethodCodeSequence) == 2
    (told,) = json.loads((tmp_path / "out_report/report.json").read_text())
    assert told["burned_in"] == said and "look at it" in told["remarks"][0]
    assert (said or "not said") in (tmp_path / "out_report/report.html").read_text()


def test_text_within_the_sector_of_a_clip_is_refused(tmp_path, capsys):
    mask, frames = screens(3, 6)
    y, x = np.argwhere(mask).mean(axis=0).astype(int)
    frames[:, y : y + 8, x : x + 30 : 3] = 255
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(frames, **patient()))
    assert main(["data", "deidentify", str(tmp_path / "a.dcm"), "--out", str(tmp_path / "out")]) == 1
    assert "stay bright in all frames" in capsys.readouterr().err and not list(tmp_path.glob("out/*"))
    (tmp_path / "b.dcm").write_bytes(dicom_bytes(np.zeros((1, 90, 90), np.uint8), **patient()))
    args = ["data", "deidentify", str(tmp_path / "b.dcm"), "--out", str(tmp_path / "out")]
    assert main(args) == 1 and "state it with --keep" in capsys.readouterr().err
    assert main([*args, "--keep", "0,0,50,60"]) == 0
    assert main(args) != 0 and "is not empty" in capsys.readouterr().err


def value_of(vr):
    """A value that can be recognized, of a value representation."""
    numbers = {
        "US": 77,
        "SS": 77,
        "UL": 77,
        "SL": 77,
        "FL": 77.0,
        "FD": 77.0,
        "DS": "77",
        "IS": "77",
        "AT": 0x00100010,
    }
    texts = {
        "DA": "20200202",
        "TM": "070809",
        "DT": "20200202070809",
        "AS": "077Y",
        "UI": "1.2.77",
        "PN": "Doe^Jane",
    }
    if vr in ("OB", "OW", "UN", "OF", "OD", "OL", "OV"):
        return b"Doe Jane"
    return numbers.get(vr, texts.get(vr, "DOE"))


def patient_item():
    """What may lie in any sequence."""
    item = pydicom.Dataset()
    item.PatientName, item.ReferencedSOPInstanceUID, item.StudyDate = "Doe^Jane", "1.2.77", "20200202"
    return item


def everything(depth=0):
    """A data set with every element of the profile's table that is no range, and the same in one sequence."""
    dataset, tags = pydicom.Dataset(), []
    for tag in standard.ALL_TAGS:
        if len(tag) == 2 and tag[0] != 2:
            tags.append(tag)
    for tag in tags:
        try:
            vr = dictionary_VR(tag).split(" or ")[0]
        except KeyError:
            continue
        if vr != "SQ":
            dataset.add_new(tag, vr, value_of(vr))
        else:
            dataset.add_new(tag, "SQ", [patient_item()])
    dataset.add_new(0x00291010, "LO", "Doe")
    return dataset


def test_tags_of_the_profile():
    dataset, source = everything(), everything()
    # One that the profile keeps, with all that it does not.
    dataset.SequenceOfUltrasoundRegions = [everything(1)]
    counted = apply_profile(dataset)
    assert sum(counted.values()) > 500 and counted["private"] >= 1
    assert dataset.SequenceOfUltrasoundRegions[0].PatientName != "Doe^Jane"
    for element in dataset:
        assert not element.tag.is_private
        tag = (element.tag.group, element.tag.element)
        assert tag not in standard.X_TAGS and tag not in standard.X_Z_U_STAR_TAGS, element
        if tag in standard.ALL_TAGS and element.VR != "SQ":
            assert element.value != source[tag].value, element
    text = dataset.to_json()
    for word in ("Doe", "DOE", "20200202", "1.2.77", "077Y"):
        assert word not in text, word
    found = [dataset[tag] for tag in standard.U_TAGS if len(tag) == 2 and tag in dataset]
    uids = [str(element.value) for element in found if element.VR == "UI"]
    assert len(uids) > 5 and len(set(uids)) == 1
