"""The session over HTTP: what a page sends and gets, and who is let in."""

from __future__ import annotations

import io
import json
import zipfile
from urllib.parse import unquote

import cv2
import nibabel
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.kit.annotating import BOX, EDITS, SIZE, make_clip, make_images

testclient = pytest.importorskip(
    "fastapi.testclient", reason="fastapi, httpx (extra 'dev') are not installed"
)

from ultrasam.annotate import server  # noqa: E402
from ultrasam.annotate.security import MAX_BODY  # noqa: E402
from ultrasam.errors import UltraSamError  # noqa: E402
from ultrasam.web import listening  # noqa: E402

PORT, TOKEN = 8123, "secret-token"
HOST = f"127.0.0.1:{PORT}"


def client_of(session, host="127.0.0.1", base=f"http://{HOST}"):
    app = server.guarded(session, TOKEN, PORT, host)
    return testclient.TestClient(app, base_url=base, follow_redirects=False)


@pytest.fixture
def session(start):
    return start()


@pytest.fixture
def client(session):
    client = client_of(session)
    assert client.get(f"/?token={TOKEN}").status_code == 303
    return client


def edit(client, change, item=0, base=None):
    if base is None:
        base = client.get(f"/api/items/{item}/frames/0").json()["revision"]
    return client.post(f"/api/items/{item}/frames/0/edits", json={"base": base, "edit": change})


def events(response):
    assert response.status_code == 200, response.text
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]


def test_a_page_can_do_all_that_a_session_can(client, session):
    told = client.get("/api/session").json()
    assert [item["name"] for item in told["items"]] == ["a.png", "b.png", "c.png"]
    assert [label["name"] for label in told["classes"]] == ["cyst", "vessel"]
    assert client.post("/api/items/0/frames/0/prepare", json={}).status_code == 204
    frame = edit(client, EDITS[0]).json()["frame"]
    assert len(frame["objects"][0]["candidates"]) == 3 and frame["can_undo"]
    assert set(frame["objects"][0]) == {
        *("id", "class", "box", "points", "labels", "mask", "iou", "candidates", "candidate", "source"),
        *("detected", "drift", "area", "measured", "clicks", "seconds", "track", "quality"),
    }
    hover = client.post("/api/items/0/frames/0/hover", json={"x": 90, "y": 60}).json()
    assert coco_mask.decode(hover["mask"]).shape == SIZE
    stale = edit(client, {"kind": "clear"}, base=0)
    assert stale.status_code == 409 and stale.json()["frame"] == frame
    assert edit(client, {"kind": "undo"}).json()["frame"]["objects"] == []
    assert edit(client, {"kind": "redo"}).json()["frame"]["objects"] == frame["objects"]
    assert client.get("/api/items/0/frames/0").json()["objects"] == frame["objects"]
    item = client.post("/api/items/0/state", json={"state": "accepted", "flagged": True}).json()["item"]
    assert (
        item["state"] == "accepted" and item["flagged"] and item == client.get("/api/items/0").json()["item"]
    )
    classes = [*told["classes"], {"name": "x", "color": "#000000"}]
    assert client.post("/api/classes", json={"classes": classes}).json()["classes"] == classes
    assert client.post("/api/save", json={}).json() == {"saved": True, "left_out": 0}
    assert client.get("/api/session").json()["saved"]
    content = client.get("/api/export?format=coco").json()
    assert content == json.loads(session.out.read_text())
    with zipfile.ZipFile(io.BytesIO(client.get("/api/export?format=png").content)) as archive:
        assert archive.namelist() == ["classes.txt", "masks/a.png", "masks/b.png", "masks/c.png"]
        labels = cv2.imdecode(np.frombuffer(archive.read("masks/a.png"), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(labels == 1, coco_mask.decode(frame["objects"][0]["mask"]) > 0)
    assert set(np.unique(labels)) == {0, 1}


@pytest.mark.parametrize("kind", ["yolo", "labelme", "nifti"])
def test_downloads_of_other_tools_come_back_as_the_same_masks(client, session, tmp_path, kind):
    empty = client.get(f"/api/export?format={kind}")
    assert empty.status_code == 400 and "no object" in empty.json()["error"]
    disc = {"kind": "brush", "object": None, "class": 1, "points": [[100, 60]], "radius": 30, "erase": False}
    frame = edit(client, disc).json()["frame"]
    mask = coco_mask.decode(frame["objects"][0]["mask"])
    answer = client.get(f"/api/export?format={kind}")
    assert unquote(answer.headers["x-told"]) == f"labels_{kind}.zip: 3 images with 1 objects"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "out")
    if kind == "nifti":
        values = nibabel.load(tmp_path / "out/masks/a.nii.gz").get_fdata()[..., 0].T
        assert np.array_equal(values, 2.0 * mask)
        return
    if kind == "labelme":
        (shape,) = json.loads((tmp_path / "out/a.json").read_text())["shapes"]
        assert shape["label"] == "vessel"
        ring = np.array(shape["points"])
    else:
        line = (tmp_path / "out/labels/train/a.txt").read_text().split()
        assert line[0] == "1"
        ring = np.array(line[1:], float).reshape(-1, 2) * SIZE[::-1]
    drawn = cv2.fillPoly(np.zeros(SIZE, np.uint8), [np.round(ring - 0.5).astype(np.int32)], 1)
    assert (drawn & mask).sum() / (drawn | mask).sum() > 0.95


def test_parts_of_pictures_are_their_pixels(client, session):
    answer = client.get("/api/items/1/frames/0/image?part=30,20,50,40")
    pixels = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(pixels, session.image(1)[20:60, 30:80])
    small = client.get("/api/items/1/frames/0/image?part=30,20,50,40&width=25")
    assert cv2.imdecode(np.frombuffer(small.content, np.uint8), cv2.IMREAD_COLOR).shape == (20, 25, 3)
    for part in ("1,2,3", "a,0,1,1", "-1,0,5,5", "500,0,5,5", "0,0,0,5"):
        wrong = client.get(f"/api/items/1/frames/0/image?part={part}")
        assert wrong.status_code == 422 and "part" in wrong.json()["error"]


def test_pictures_are_the_pixels_and_are_not_sent_twice(client, session):
    answer = client.get("/api/items/1/frames/0/image")
    assert answer.headers["content-type"] == "image/png"
    pixels = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(pixels, session.image(1))
    again = client.get("/api/items/1/frames/0/image", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304 and not again.content
    small = client.get("/api/items/1/frames/0/image?width=50")
    assert cv2.imdecode(np.frombuffer(small.content, np.uint8), cv2.IMREAD_COLOR).shape == (30, 50, 3)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "/api/items/3/frames/0", None, 404, "no image 3"),
        ("GET", "/api/items/-1/frames/0/image", None, 404, "no image -1"),
        ("GET", "/api/items/0/frames/1", None, 404, "no frame 1"),
        ("GET", "/api/items/x/frames/0", None, 422, "not understood"),
        ("GET", "/api/items/0/frames/0/image?width=0", None, 422, "0 pixels wide"),
        ("GET", "/api/nothing", None, 404, "Not Found"),
        ("GET", "/api/export?format=exe", None, 422, "coco, png, yolo"),
        ("POST", "/api/items/0/frames/0/edits", {"base": 0}, 422, "edit"),
        ("POST", "/api/items/0/frames/0/edits", {"base": 0, "edit": {"kind": "x"}}, 422, "an edit is one of"),
        (
            "POST",
            "/api/items/0/frames/0/edits",
            {"base": 0, "edit": {"kind": "undo"}},
            400,
            "nothing to undo",
        ),
        ("POST", "/api/items/0/frames/0/hover", {"x": 1e9, "y": 1}, 422, "outside the image"),
        ("POST", "/api/items/0/state", {"state": "eaten"}, 422, "todo, accepted"),
        ("POST", "/api/classes", {"classes": []}, 422, "1 to"),
        ("POST", "/api/conflict", {"keep": "both"}, 422, "mine"),
        ("POST", "/api/items/0/propagate", {"from": 0}, 422, "no object in this frame"),
        ("POST", "/api/items/0/frames/0/automatic", {"min_iou": 7}, 422, "between 0 and 1"),
    ],
)
def test_what_is_wrong_is_said_to_people(client, method, path, body, status, text):
    answer = client.request(method, path, json=body)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert text in answer.json()["error"] and "Traceback" not in answer.text


def test_bodies_that_are_no_json_or_too_large(client):
    for body in (b"{", b"[" * 100_000, b'{"base": NaN, "edit": {}}', b"\xff\xfe"):
        answer = client.post(
            "/api/items/0/frames/0/edits", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (400, 422) and "error" in answer.json()
    large = {"base": 0, "edit": {"kind": "clear", "more": "x" * MAX_BODY}}
    assert client.post("/api/items/0/frames/0/edits", json=large).status_code == 413

    def pieces():
        for _ in range(3):
            yield b"x" * (MAX_BODY // 2)

    assert client.post("/api/save", content=pieces()).status_code == 413


def test_nobody_without_the_token(session):
    client = client_of(session)
    page = client.get("/")
    assert page.status_code == 403 and "ultrasam annotate" in page.text
    for path in ("/api/session", "/static/main.js", "/api/items/0/frames/0/image"):
        assert client.get(path).status_code == 403
    for wrong in ("", "secret", TOKEN + "x", "é"):
        assert client.get("/", params={"token": wrong}).status_code == 403
        client.cookies.set(f"ultrasam_{PORT}", "wrong")
        assert client.get("/api/session").status_code == 403
    client.cookies.clear()
    entered = client.get(f"/?token={TOKEN}")
    assert entered.status_code == 303 and entered.headers["location"] == "/"
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Domain" not in cookie
    assert client.get("/api/session").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": HOST}, 200),
        ({"host": f"localhost:{PORT}"}, 200),
        ({"host": f"[::1]:{PORT}"}, 200),
        ({"host": f"evil.example:{PORT}"}, 421),
        ({"host": "127.0.0.1:1"}, 421),
        ({"host": f"127.0.0.1.evil.example:{PORT}"}, 421),
        ({"host": "127.0.0.1:x"}, 421),
        ({"host": HOST, "origin": f"http://{HOST}"}, 200),
        ({"host": HOST, "origin": "http://evil.example"}, 403),
        ({"host": HOST, "origin": "null"}, 403),
        ({"host": HOST, "origin": "http://[::"}, 403),
        ({"host": "[::"}, 421),
        ({"host": HOST, "origin": "http://127.0.0.1:9"}, 403),
        ({"host": HOST, "sec-fetch-site": "cross-site"}, 403),
        ({"host": HOST, "sec-fetch-site": "same-site"}, 403),
        ({"host": HOST, "sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_other_pages_and_other_names_are_refused(client, headers, status):
    cookie = {"cookie": f"ultrasam_{PORT}={TOKEN}"}
    assert client.get("/api/session", headers={**headers, **cookie}).status_code == status
    assert client.post("/api/save", json={}, headers={**headers, **cookie}).status_code == status


def test_cookies_of_other_servers_on_this_machine_lock_nobody_out(session):
    for other in ('a={"x": 1}', "a b", "a[0]=x", "a=b c", '"'):
        cookie = {"cookie": f"{other}; ultrasam_{PORT}={TOKEN}"}
        assert client_of(session).get("/api/session", headers=cookie).status_code == 200, other


def test_open_to_the_network_it_answers_to_addresses_and_to_no_other_name(session):
    client = client_of(session, "0.0.0.0", f"http://192.168.7.7:{PORT}")
    client.get(f"/?token={TOKEN}")
    assert client.get("/api/session").status_code == 200
    cookie = {"cookie": f"ultrasam_{PORT}={TOKEN}", "host": f"evil.example:{PORT}"}
    assert client.get("/api/session", headers=cookie).status_code == 421


@pytest.mark.parametrize(
    "path", ["/", "/api/session", "/api/items/0/frames/0/image", "/api/items/9/frames/0"]
)
@pytest.mark.parametrize("inside", [True, False])
def test_every_answer_has_the_headers(client, path, inside):
    if not inside:
        client.cookies.clear()
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"


def test_names_are_data_and_paths_lead_nowhere(start, predictor, tmp_path):
    folder = make_images(tmp_path / "odd", 1)
    name = "<img src=x onerror=alert(1)>.png"
    (folder / "a.png").rename(folder / name)
    session = start([folder], classes=["<script>alert(1)</script>"])
    client = client_of(session)
    client.get(f"/?token={TOKEN}")
    answer = client.get("/api/session")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["items"][0]["name"] == name
    edit(client, {"kind": "add", "class": 0, "box": BOX})
    for path in (
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/..%2fserver.py",
        "/api/items/..%2f0/frames/0",
    ):
        assert client.get(path).status_code in (404, 422)
    # Where the labels say where a picture goes, it does not leave the archive.
    with zipfile.ZipFile(io.BytesIO(client.get("/api/export?format=png").content)) as archive:
        assert archive.namelist()[1] == "masks/_img src=x onerror=alert(1)_.png"


def test_find_everything_suggests_and_labels_are_what_is_accepted(client, session):
    edit(client, {"kind": "add", "class": 0, "box": BOX})
    options = {
        "min_iou": 0,
        "min_stability": 0,
        "min_area": 0,
        "max_area": 1,
        "points_per_side": 3,
        "most": 3,
    }
    told = events(client.post("/api/items/0/frames/0/automatic", json={**options, "class": 1}))
    assert [step["frame"] for step in told[:-1]] == [None] * (len(told) - 1) and len(told) > 2
    assert told[-1]["done"] == told[-1]["total"]
    frame = told[-1]["frame"]
    suggested = [entry for entry in frame["objects"] if entry["source"] == "suggested"]
    assert suggested and {entry["class"] for entry in suggested} == {1}
    assert client.get("/api/items/0").json()["item"]["objects"] == 1
    assert len(client.get("/api/export?format=coco").json()["annotations"]) == 1
    edit(client, {"kind": "accept_suggestion", "object": suggested[0]["id"]})
    assert len(client.get("/api/export?format=coco").json()["annotations"]) == 2
    edit(client, {"kind": "undo"})
    frame = edit(client, {"kind": "undo"}).json()["frame"]
    assert [entry["source"] for entry in frame["objects"]] == ["prompt"]


def test_propagation_goes_to_the_next_corrected_frame(start, tmp_path):
    pytest.importorskip("cv2")
    masks = make_clip(tmp_path / "clip.avi", 7)
    session = start([tmp_path / "clip.avi"])
    client = client_of(session)
    client.get(f"/?token={TOKEN}")
    at = "/api/items/0/frames/{}/edits"
    y, x = np.argwhere(masks[0]).mean(axis=0)
    draw = {"kind": "brush", "object": None, "class": 1, "points": [[x, y]], "radius": 12}
    first = client.post(at.format(0), json={"base": 0, "edit": draw}).json()["frame"]["objects"][0]
    told = events(client.post("/api/items/0/propagate", json={"from": 0, "to": None}))
    assert [step["done"] for step in told] == list(range(7)) and told[0]["frame"] is None
    carried = [step["frame"]["objects"][0] for step in told[1:]]
    assert {entry["track"] for entry in carried} == {first["id"]} and {e["class"] for e in carried} == {1}
    assert {entry["source"] for entry in carried} == {"propagated"}
    assert len({entry["id"] for entry in [first, *carried]}) == 7
    frame = told[4]["frame"]
    brush = {"kind": "brush", "object": carried[3]["id"], "points": [[x, y]], "radius": 3}
    corrected = client.post(at.format(4), json={"base": frame["revision"], "edit": brush}).json()["frame"]
    told = events(client.post("/api/items/0/propagate", json={"from": 0, "to": 6, "objects": [first["id"]]}))
    # First back from the corrected one, so that what lies between is followed from both sides.
    assert [step["frame"] and step["frame"]["frame"] for step in told] == [None] * 5 + [1, 2, 3]
    assert [step["done"] for step in told] == list(range(8)) and told[-1]["total"] == 10
    assert all(len(step["frame"]["objects"]) == 1 for step in told[5:])
    assert client.get("/api/items/0/frames/4").json()["objects"] == corrected["objects"]
    # Backward from the corrected one: frame 0 was drawn, so it stays.
    told = events(client.post("/api/items/0/propagate", json={"from": 4, "to": 0}))
    assert [step["frame"] and step["frame"]["frame"] for step in told] == [None] * 5 + [3, 2, 1]
    session.close()
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert [entry["frame"] for entry in labels["images"]] == list(range(7))
    assert all((tmp_path / entry["file_name"]).is_file() for entry in labels["images"])
    session = start([tmp_path / "clip.avi"])
    assert session.describe()["items"][0]["labelled_frames"] == list(range(7))


def test_a_port_in_use_is_said(session):
    with listening.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UltraSamError, match=f"port {port}.*choose another --port"):
            listening.listen("127.0.0.1", port)
    with pytest.raises(UltraSamError, match="there is no port 99999: choose a --port from 1 to 65535"):
        listening.listen("127.0.0.1", 99999)


def test_the_same_session_takes_the_same_port_where_it_is_free():
    ports = []
    for _ in range(2):
        with listening.listen_again("127.0.0.1", "/scans") as listener:
            ports.append(listener.getsockname()[1])
    with (
        listening.listen_again("127.0.0.1", "/scans"),
        listening.listen_again("127.0.0.1", "/scans") as third,
    ):
        ports.append(third.getsockname()[1])
    assert ports[0] == ports[1] != ports[2]
