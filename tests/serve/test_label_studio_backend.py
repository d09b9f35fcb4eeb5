"""Label Studio's protocol: its results in, brush regions out, and images from its server alone."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest

from tests.kit.sdks import label_studio_brush
from ultrasam.errors import DataError, UltraSamError
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.serve.brush_rle import decode_brush, encode_brush
from ultrasam.serve.labeling_config import brush_tag
from ultrasam.serve.task_images import TaskImages

testclient = pytest.importorskip(
    "fastapi.testclient", reason="fastapi, httpx (extra 'dev') are not installed"
)

from ultrasam.serve.label_studio_backend import LabelStudio  # noqa: E402
from ultrasam.serve.service import guarded  # noqa: E402

TOKEN = "token-of-the-tests"
CONFIG = """<View><Image name="img" value="$scan"/>
  <BrushLabels name="tag" toName="img"><Label value="Cyst"/><Label value="Vessel"/></BrushLabels>
  <KeyPointLabels name="kp" toName="img" smart="true"><Label value="Vessel" smart="true"/></KeyPointLabels>
</View>"""
SIZE = (120, 200)


def shapes():
    """Masks whose runs are short, long, longer than a block, and at both ends."""
    rng = np.random.default_rng(0)
    noise = rng.random((37, 53)) > 0.5
    whole, corner = np.ones((3, 5), bool), np.zeros((60, 41), bool)
    corner[0, 0] = corner[-1, -1] = corner[20:50, 3:30] = True
    return [noise, whole, ~whole, corner, np.zeros((1, 1), bool), np.zeros((300, 400), bool), corner.T]


def by_the_description(code):
    """The format read bit by bit, as its description goes; slow."""
    bits = "".join(f"{byte:08b}" for byte in code)
    place = 0

    def number(count):
        nonlocal place
        place += count
        return int(bits[place - count : place], 2)

    count, word = number(32), number(5) + 1
    sizes = [number(4) + 1 for _ in range(4)]
    values = []
    while len(values) < count:
        if number(1):
            length = number(sizes[number(2)]) + 1
            values += [number(word)] * length
        else:
            values += [number(word) for _ in range(number(sizes[number(2)]) + 1)]
    return np.array(values)


@pytest.mark.parametrize("number", range(7))
def test_brush_code_is_what_its_description_says(number):
    mask = shapes()[number]
    code = encode_brush(mask)
    assert all(isinstance(byte, int) and 0 <= byte < 256 for byte in code)
    assert np.array_equal(by_the_description(code).reshape(*mask.shape, 4)[..., 3] == 255, mask)
    assert np.array_equal(decode_brush(code, mask.shape), mask)


@pytest.mark.parametrize("number", range(7))
def test_brush_code_is_that_of_label_studios_own_package(number):
    brush, mask = label_studio_brush(), shapes()[number]
    theirs, ours = brush.mask2rle(mask.astype(np.uint8) * 255), encode_brush(mask)
    # Theirs ends with one byte more where no bit is left over.
    assert theirs[: len(ours)] == ours and set(theirs[len(ours) :]) <= {0} and len(theirs) - len(ours) < 2
    assert np.array_equal(brush.decode_rle(ours).reshape(*mask.shape, 4)[..., 3] == 255, mask)
    assert np.array_equal(decode_brush(theirs, mask.shape), mask)


def test_values_in_full_are_read_too():
    bits = f"{4 * 4:032b}{7:05b}" + "".join(f"{n - 1:04b}" for n in (3, 4, 8, 16))
    bits += "001" + f"{15:04b}" + "".join(f"{v:08b}" for v in [0, 0, 0, 200, 9, 9, 9, 0] * 2)
    code = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    assert decode_brush(list(code), (2, 2)).tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize(
    "code",
    [[], [1, 2], "text", [300], [-1], None, [0.5], encode_brush(np.ones((9, 9), bool))]
    + [encode_brush(shapes()[0])[:-9], [255] * 400],
)
def test_damaged_brush_code_is_refused(code):
    with pytest.raises(DataError):
        decode_brush(code, shapes()[0].shape)


def png(image):
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def inline(image):
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()


@pytest.fixture
def client(engine):
    app = guarded(engine, TOKEN, LabelStudio(engine))
    # As Label Studio sends it: a name and a password.
    basic = base64.b64encode(f"label-studio:{TOKEN}".encode()).decode()
    return testclient.TestClient(app, headers={"authorization": f"Basic {basic}"})


def point(x, y, positive=True, label="Vessel"):
    """A click at a pixel, in percent of the image."""
    value = {"x": 100 * x / SIZE[1], "y": 100 * y / SIZE[0], "width": 0.3, "keypointlabels": [label]}
    sizes = {"original_width": SIZE[1], "original_height": SIZE[0], "image_rotation": 0}
    return {"type": "keypointlabels", "to_name": "img", "is_positive": int(positive), "value": value, **sizes}


def rectangle(x1, y1, x2, y2, **more):
    value = {"x": x1 / 2, "y": y1 / 1.2, "width": (x2 - x1) / 2, "height": (y2 - y1) / 1.2, **more}
    return {"type": "rectanglelabels", "to_name": "img", "value": {**value, "rectanglelabels": ["Cyst"]}}


def ask(client, image, results, config=CONFIG):
    task = {"id": 7, "data": {"scan": image if isinstance(image, str) else inline(image)}}
    body = {"tasks": [task], "project": "1.5", "label_config": config, "params": {"context": None}}
    if results is not None:
        body["params"]["context"] = {"result": results, "draft_id": 3}
    return client.post("/label-studio/predict", json=body)


BRUSHED = np.zeros(SIZE, bool)
BRUSHED[30:90, 60:120] = True
CASES = {
    "a click": ([point(90, 60)], ObjectPrompt([[90, 60]]), True, "Vessel"),
    "clicks inside and outside": (
        [point(90, 60), point(20, 20, positive=False)],
        ObjectPrompt([[90, 60], [20, 20]], [1, 0]),
        False,
        "Vessel",
    ),
    "a label of the outside": (
        [point(90, 60), point(20, 20, label="Background")],
        ObjectPrompt([[90, 60], [20, 20]], [1, 0]),
        False,
        "Vessel",
    ),
    "a rectangle": ([rectangle(60, 30, 120, 90)], ObjectPrompt(box=[60, 30, 120, 90]), False, "Cyst"),
    "a turned rectangle": (
        [rectangle(120, 30, 180, 90, rotation=90)],
        ObjectPrompt(box=[60, 30, 120, 90]),
        False,
        "Cyst",
    ),
    "a rectangle and a click outside": (
        [rectangle(60, 30, 120, 90), point(70, 40, positive=False)],
        ObjectPrompt([[70, 40]], [0], [60, 30, 120, 90]),
        False,
        "Cyst",
    ),
    "a brush stroke": (
        [{"type": "brushlabels", "value": {"rle": encode_brush(BRUSHED), "brushlabels": ["Cyst"]}}],
        ObjectPrompt(box=[60, 30, 120, 90]),
        False,
        "Cyst",
    ),
    "a label that brushes do not know": (
        [point(90, 60, label="Else")],
        ObjectPrompt([[90, 60]]),
        True,
        "Cyst",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_regions_are_the_predictors_masks(client, predictor, picture, case):
    results, prompt, multimask, label = CASES[case]
    answer = ask(client, picture, results)
    assert answer.status_code == 200, answer.text
    (prediction,) = answer.json()["results"]
    (region,) = prediction["result"]
    wanted = predictor.encode(picture).segment([prompt], multimask=multimask)
    assert np.array_equal(decode_brush(region["value"]["rle"], SIZE), wanted.masks[0])
    assert region["value"]["format"] == "rle" and region["value"]["brushlabels"] == [label]
    assert (region["from_name"], region["to_name"], region["type"]) == ("tag", "img", "brushlabels")
    assert (region["original_width"], region["original_height"]) == SIZE[::-1]
    assert prediction["score"] == pytest.approx(float(wanted.scores[0]), abs=1e-4)


def test_the_rest_of_the_protocol(client, picture):
    assert client.get("/label-studio/health").json()["status"] == "UP"
    setup = {"project": "1.5", "schema": CONFIG, "hostname": "http://evil.example", "access_token": "x"}
    version = client.post("/label-studio/setup", json=setup).json()["model_version"]
    assert version.startswith("ultrasam-")
    nothing = ask(client, picture, None).json()
    assert nothing == {"results": [[]], "model_version": version}
    assert client.get("/label-studio/versions").json() == {"versions": [version]}


@pytest.mark.parametrize(
    ("results", "config", "text"),
    [
        ([point(20, 20, positive=False)], CONFIG, "click into the object"),
        ([point(300, 20)], CONFIG, "outside its image"),
        ([point(float(10**8), 20)], CONFIG, "outside its image"),
        ([{"type": "keypointlabels", "value": {"x": "1", "y": 2}}], CONFIG, "percent"),
        ([{"type": "keypointlabels"}], CONFIG, "no value"),
        ([{"type": "ellipselabels", "value": {}}], CONFIG, "no prompt"),
        ([{**point(9, 9), "image_rotation": 90}], CONFIG, "turned"),
        ([{"type": "brushlabels", "value": {"rle": [1, 2, 3]}}], CONFIG, "cut off"),
        (["x"], CONFIG, "list of results"),
        ("text", CONFIG, "list of results"),
        ([point(9, 9)], "", "not readable"),
        ([point(9, 9)], "<View/>", "no place for masks"),
        ([point(9, 9)], CONFIG.replace("$scan", "$other"), "no 'other'"),
        ([point(9, 9)], "<!DOCTYPE a [<!ENTITY b 'c'>]>" + CONFIG, "document type"),
        ([point(9, 9)], "<a>" * 50_000, "not readable"),
    ],
)
def test_what_is_wrong_with_a_task_is_said(client, caplog, picture, results, config, text):
    answer = ask(client, picture, results, config)
    assert answer.status_code == 422 and text in answer.json()["error"] and text in caplog.text


def test_the_first_brush_tag_with_an_image_counts():
    tag = brush_tag(CONFIG)
    assert (tag.name, tag.image, tag.key, tag.labels) == ("tag", "img", "scan", ("Cyst", "Vessel"))
    assert tag.label_for("Vessel") == "Vessel" and tag.label_for("Else") == tag.label_for(None) == "Cyst"


@pytest.fixture
def label_studio(picture):
    """A server with Label Studio's addresses of files, and what it was asked."""
    asked, given = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            key = self.headers.get("Authorization")
            asked.append((self.path, key))
            query = parse_qs(urlsplit(self.path).query)
            if key not in ("Token key", f"Bearer access-{len(given)}"):
                self.send_response(401)
            elif "away" in self.path:
                self.send_response(302)
                self.send_header("Location", "http://169.254.169.254/")
            else:
                self.send_response(200)
            self.end_headers()
            if query.get("d") == ["my scans/a b.png"] or self.path == "/data/upload/1/a%20b.png":
                self.wfile.write(png(picture))
            elif "large" in self.path:
                self.wfile.write(b"x" * 200_000)

        def do_POST(self):
            """A personal access token is exchanged for one that is good until the next one is given."""
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.path == "/api/token/refresh/" and sent == {"refresh": "personal.access.token"}
            self.send_response(200 if known else 401)
            self.end_headers()
            if known:
                given.append(sent)
                self.wfile.write(json.dumps({"access": f"access-{len(given)}"}).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_files_of_the_configured_server_are_read_with_its_token(engine, predictor, picture, label_studio):
    origin, asked = label_studio
    app = guarded(engine, TOKEN, LabelStudio(engine, TaskImages(origin, "key", 150_000)))
    client = testclient.TestClient(app, headers={"authorization": f"Bearer {TOKEN}"})
    wanted = predictor.encode(picture).segment([ObjectPrompt(box=[60, 30, 120, 90])]).masks[0]
    local = "/data/local-files/?d=my%20scans/a%20b.png"
    for address in (local, origin + local, "/data/local-files/?d=my scans/a b.png", "/data/upload/1/a b.png"):
        (prediction,) = ask(client, address, [rectangle(60, 30, 120, 90)]).json()["results"]
        assert np.array_equal(decode_brush(prediction["result"][0]["value"]["rle"], SIZE), wanted)
    assert {key for _, key in asked} == {"Token key"} and len(asked) == 4
    for address, text in (("/data/upload/away", "302"), ("/data/upload/large", "150,000")):
        answer = ask(client, address, [point(9, 9)])
        assert answer.status_code == 422 and text in answer.json()["error"]
    assert len(asked) == 6
    with pytest.raises(DataError, match="LABEL_STUDIO_API_KEY"):
        TaskImages(origin, "wrong").read(local)


def test_personal_access_tokens_are_exchanged_and_again_when_they_have_run_out(label_studio, picture):
    origin, asked = label_studio
    images, other = (TaskImages(origin, "personal.access.token") for _ in range(2))
    local = "/data/local-files/?d=my%20scans/a%20b.png"
    for reader in (images, images, other, images):
        assert reader.read(local) == png(picture)
    keys = [key.removeprefix("Bearer access-") for _, key in asked]
    assert keys == ["1", "1", "2", "1", "3"]
    with pytest.raises(DataError, match="personal access token"):
        TaskImages(origin, "one.that.isnt").read(local)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "/etc/passwd",
            "ftp://{0}/data/upload/x",
        ),
        *("//evil.example/data/upload/x", "http://evil.example/data/upload/x", "https://{0}/data/upload/x"),
        *("http://{0}@evil.example/data/upload/x", "http://evil.example@{0}/data/upload/x"),
        *(
            "http://{0}/api/users",
            "/api/users",
            "/data/upload/../../api/users",
            "/data/upload/%2e%2e/%2E%2e/api",
        ),
        *("/data/upload/..\\..\\api", "/data/local-files", "/data/upload/x\r\nHost: evil", "http://[::1/x"),
        *("http://{0}.evil.example/data/upload/x", "http://127.0.0.1:1/data/upload/x", "http://{0}:99999/x"),
        *("data:image/png,x", "data:image/png;base64,!!!", "s3://bucket/x.png", "", "x.png"),
        *("/\\evil.example/data/upload/x", "http:/data/upload/x", "HTTP://evil.example#@{0}/data/upload/x"),
    ],
)
def test_nothing_else_is_asked_for(label_studio, address):
    origin, asked = label_studio
    with pytest.raises(DataError, match="task's image"):
        TaskImages(origin, "key").read(address.replace("{0}", origin.removeprefix("http://")))
    assert asked == []


def test_without_a_server_there_are_data_addresses_alone(picture):
    images = TaskImages()
    assert images.read(inline(picture)) == png(picture)
    for address in ("/data/upload/1/x.png", "http://localhost:8080/data/upload/1/x.png", None, 5):
        with pytest.raises(DataError, match="task's image"):
            images.read(address)
    with pytest.raises(DataError, match="larger"):
        TaskImages(max_bytes=100).read(inline(picture))
    for server in ("localhost:8080", "ftp://x", "http://", "http://a@b"):
        with pytest.raises(UltraSamError, match="address"):
            TaskImages(server)


def test_a_server_below_a_path(label_studio):
    origin, asked = label_studio
    images = TaskImages(f"{origin}/ls/", "key")
    for address in ("/ls/data/upload/x", "/data/upload/x", f"{origin}/ls/data/upload/x"):
        images.read(address)
    assert [path for path, _ in asked] == ["/ls/data/upload/x"] * 3
