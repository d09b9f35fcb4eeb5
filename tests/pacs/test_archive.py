"""From an archive and back to it: a real Orthanc on loopback, and servers that misbehave."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import numpy as np
import pydicom
import pytest

from tests.kit import orthanc
from tests.kit.scans import write_scan
from ultrasam.cli.main import main
from ultrasam.errors import DataError
from ultrasam.pacs.dicomweb import TOKEN, DicomWeb
from ultrasam.pacs.sending import archive_at

STUDY = "1.2.826.0.1.3680043.8.498.1"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    with orthanc.running(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(scope="module")
def scans(archive, tmp_path_factory):
    """One study of a still, an uncompressed and a compressed clip in two series, by name."""
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    made = {}
    for i, name in enumerate(("still", "rgb", "jpeg")):
        pixels = rng.integers(0, 256, (96, 128) if name == "still" else (2, 96, 128, 3), dtype=np.uint8)
        made[name] = write_scan(
            folder / f"{name}.dcm",
            pixels,
            jpeg=name == "jpeg",
            StudyInstanceUID=STUDY,
            SeriesInstanceUID=f"{STUDY}.{1 + (name == 'jpeg')}",
            InstanceNumber=i + 1,
        )
        archive.upload(folder / f"{name}.dcm")
    return made


def predict(weights, *args):
    return main(["predict", *map(str, args), "--checkpoint", str(weights), "--quiet", "--device", "cpu"])


def test_a_study_goes_out_and_its_results_come_back(archive, scans, tiny_weights, tmp_path, capsys):
    """Over DICOMweb both ways, by the command; what Orthanc then holds is what was written, to the pixel."""
    out = tmp_path / "out"
    args = (
        *("--from-dicomweb", archive.dicomweb, "--study", STUDY, "--box", "20,10,90,70", "--out", out),
        *("--box", "9,9,50,60", "--dicom-seg", "--dicom-sr"),
    )
    assert predict(tiny_weights, *args, "--store") == 0
    said = capsys.readouterr().out
    assert "3 images fetched" in said and "6 DICOM files, 6 of them sent" in said
    fetched = {p.stem: p for p in (out / "fetched").rglob("*.dcm")}
    for scan in scans.values():
        # As the archive has it, compressed where it is.
        assert pydicom.dcmread(fetched[scan.SOPInstanceUID]).PixelData == scan.PixelData
    assert archive.count() == 9
    written = list((out / "dicom").rglob("*.dcm"))
    assert len(written) == 6
    for path in written:
        ours = pydicom.dcmread(path)
        theirs = pydicom.dcmread(BytesIO(archive.file(ours.SOPInstanceUID)))
        assert theirs == ours
        if ours.Modality == "SEG":
            assert np.array_equal(theirs.pixel_array, ours.pixel_array) and theirs.pixel_array.any()
    assert "Müller" not in (out / "predictions.json").read_text()
    # Once more: nothing is fetched, segmented or doubled, and results are not taken for images.
    assert predict(tiny_weights, *args, "--store") == 0
    said = capsys.readouterr().out
    assert "3 images fetched, 3 of them from an earlier run; left out: 3 " in said
    assert "5 kept from an earlier run" in said and archive.count() == 9


def test_one_series_alone_and_c_store(archive, scans, tiny_weights, tmp_path, capsys):
    before = archive.count()
    code = predict(
        tiny_weights,
        *("--from-dicomweb", archive.dicomweb, "--study", STUDY, "--series", f"{STUDY}.2"),
        *("--point", "60,50", "--dicom-seg", "--dicom-sr", "--store", archive.node, "--out", tmp_path),
    )
    assert code == 0 and "1 images fetched" in capsys.readouterr().out
    assert archive.count() == before + 2
    for path in (tmp_path / "dicom").rglob("*.dcm"):
        ours = pydicom.dcmread(path)
        assert pydicom.dcmread(BytesIO(archive.file(ours.SOPInstanceUID))) == ours


def test_what_the_archive_lacks(archive, scans, tmp_path):
    web = DicomWeb(archive.dicomweb)
    with pytest.raises(DataError, match=r"no ultrasound images in study 1\.2\.3$"):
        web.fetch("1.2.3", None, tmp_path)
    with pytest.raises(DataError, match="'1.2.x' is no DICOM UID"):
        web.fetch("1.2.x", None, tmp_path)
    with pytest.raises(DataError, match="HTTP 404"):
        DicomWeb(archive.http + "/elsewhere").fetch(STUDY, None, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_fetch_goes_on(archive, scans, tmp_path):
    web = DicomWeb(archive.dicomweb)
    first = web.fetch(STUDY, None, tmp_path)
    first.paths[1].unlink()
    again = web.fetch(STUDY, None, tmp_path)
    assert again.paths == first.paths and (first.kept, again.kept) == (0, 2)
    assert [pydicom.dcmread(p).InstanceNumber for p in again.paths] == [1, 2, 3]


def test_sources_that_are_no_dicom_are_told(tiny_weights, tmp_path, capsys):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60), 99, dtype=np.uint8))
    write_scan(tmp_path / "b.dcm", np.zeros((40, 60), dtype=np.uint8))
    out = tmp_path / "out"
    assert predict(tiny_weights, tmp_path, "--box", "9,9,30,30", "--dicom-seg", "--out", out) == 1
    said = capsys.readouterr()
    assert "2 images segmented" in said.out and "1 DICOM files" in said.out
    assert "a.png" in said.err and "b.dcm" not in said.err
    assert [p.name for p in (out / "dicom").iterdir()] == ["b.seg.dcm"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--from-dicomweb", "http://127.0.0.1:9/"], "belong together"),
        (["--study", "1.2", "a.dcm"], "belong together"),
        (["a.dcm", "--from-dicomweb", "http://127.0.0.1:9/", "--study", "1.2"], "either files"),
        ([], "either files"),
        (["a.dcm", "--store", "A@b:104"], "say --dicom-seg"),
        (["a.dcm", "--dicom-sr", "--store"], "--store where"),
        (["a.dcm", "--dicom-sr", "--store", "A@b"], "'A@b' is no archive"),
        (["a.dcm", "--dicom-sr", "--store", "A@b:99999"], "is no archive"),
        (["--from-dicomweb", "nowhere", "--study", "1.2"], "no address of a DICOMweb service"),
        (["--from-dicomweb", "http://127.0.0.1:9/", "--study", "1.2"], "Connection refused"),
    ],
)
def test_options_that_lead_nowhere(args, told, tmp_path, capsys):
    assert main(["predict", *args, "--box", "1,1,9,9", "--out", str(tmp_path), "--quiet"]) == 2
    assert told in capsys.readouterr().err


def test_nobody_listens(tmp_path):
    write_scan(tmp_path / "scan.dcm", np.zeros((4, 4), dtype=np.uint8))
    with pytest.raises(DataError, match=r"A@127\.0\.0\.1:9 does not answer; the results are written"):
        archive_at("A@127.0.0.1:9").store([tmp_path / "scan.dcm"])


class Server(ThreadingHTTPServer):
    """Answers every search with the same ``entries``, and refuses every other request."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.tokens.add(self.headers.get("Authorization"))
        if "?" not in self.path:
            return self.answer(500, b"")
        return self.answer(200, json.dumps(self.server.entries).encode())

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        refused = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0x0110]}}]}}
        self.answer(202, json.dumps(refused).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server(("127.0.0.1", 0), Handler)
    server.entries, server.tokens = [], set()
    server.url = f"http://127.0.0.1:{server.server_port}/web"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def entry(instance, series="1.2.3.4", kind="1.2.840.10008.5.1.4.1.1.6.1"):
    told = {"00080016": kind, "00080018": instance, "0020000E": series}
    return {tag: {"vr": "UI", "Value": [value]} for tag, value in told.items()}


@pytest.mark.parametrize("names", [{"instance": "../../x"}, {"instance": "1.2", "series": "/etc"}])
def test_names_that_lead_out_of_the_folder_are_refused(server, tmp_path, names):
    server.entries = [entry(**names)]
    with pytest.raises(DataError, match="which is no UID"):
        DicomWeb(server.url).fetch("1.2.3", None, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_server_that_sends_the_same_page_for_ever(server, tmp_path, monkeypatch):
    """Each image is asked for once and its refusal told; the token goes along."""
    monkeypatch.setenv(TOKEN, "secret")
    server.entries = [entry("1.2.5"), entry("1.2.6"), entry("1.2.7", kind="1.2.840.10008.5.1.4.1.1.88.33")]
    with pytest.raises(DataError, match=r"image 1\.2\.5: HTTP 500.*\n.*image 1\.2\.6: HTTP 500") as error:
        DicomWeb(server.url).fetch("1.2.3", None, tmp_path)
    assert "1.2.7" not in str(error.value) and "secret" not in str(error.value)
    assert server.tokens == {"Bearer secret"}


def test_an_answer_that_is_no_dicomweb(server, tmp_path):
    server.entries = ["hello"]
    with pytest.raises(DataError, match=r"/web can't be asked for the study 1\.2\.3"):
        DicomWeb(server.url).fetch("1.2.3", None, tmp_path)


def test_a_refusal_within_the_answer_is_told(server, tmp_path):
    write_scan(tmp_path / "scan.dcm", np.zeros((4, 4), dtype=np.uint8))
    with pytest.raises(DataError, match=r"did not take 1 of 1 results \(0x0110\)"):
        DicomWeb(server.url).store([tmp_path / "scan.dcm"])
