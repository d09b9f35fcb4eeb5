"""The service over HTTP: what it answers is what `Predictor` says, whoever else asks."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.kit.pictures import waves
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.track import Follower

testclient = pytest.importorskip(
    "fastapi.testclient", reason="fastapi, httpx (extra 'dev') are not installed"
)

from ultrasam.serve.image_service import ImageService  # noqa: E402
from ultrasam.serve.service import guarded  # noqa: E402
from ultrasam.web import listening  # noqa: E402

TOKEN = "token-of-the-tests"
BEARER = {"authorization": f"Bearer {TOKEN}"}
BOX = [60.0, 30.0, 120.0, 90.0]


def client_of(engine, **options):
    return testclient.TestClient(guarded(engine, TOKEN, **options), headers=BEARER)


@pytest.fixture
def client(engine):
    return client_of(engine)


def png(image):
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def send(client, data, **query):
    answer = client.post("/v1/images", content=data, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["images"]


def decoded(mask):
    return coco_mask.decode(mask).astype(bool)


def test_masks_are_the_predictors(client, predictor, picture):
    (sent,) = send(client, png(picture))
    assert (sent["width"], sent["height"], sent["frame"], sent["spacing"]) == (200, 120, None, None)
    objects = [{"box": BOX}, {"points": [[90, 60], [20, 20]], "labels": [1, 0]}]
    answer = client.post(f"/v1/images/{sent['image']}/prompt", json={"objects": objects})
    found = answer.json()["objects"]
    wanted = predictor.encode(picture).segment(
        [ObjectPrompt(box=BOX), ObjectPrompt([[90, 60], [20, 20]], [1, 0])]
    )
    for number, entry in enumerate(found):
        assert np.array_equal(decoded(entry["mask"]), wanted.masks[number])
        assert entry["score"] == pytest.approx(float(wanted.scores[number]), abs=1e-6)
        assert entry["box"] == wanted.boxes[number].tolist() and entry["area"] == wanted.masks[number].sum()
        assert entry["candidates"] == []


@pytest.mark.parametrize("format", ["rle", "png"])
def test_candidates_of_an_ambiguous_click(client, predictor, picture, format):
    (sent,) = send(client, png(picture))
    body = {"objects": [{"points": [[90.5, 60.5]]}], "multimask": True, "format": format}
    (entry,) = client.post(f"/v1/images/{sent['image']}/prompt", json=body).json()["objects"]
    predictor.set_image(picture)
    full, iou, _ = predictor.predict(np.array([[90, 60]]), np.array([1]), multimask_output=True)
    assert [c["score"] for c in entry["candidates"]] == pytest.approx(iou.tolist(), abs=1e-6)
    assert entry["mask"] == entry["candidates"][int(iou.argmax())]["mask"]
    for candidate, mask in zip(entry["candidates"], full, strict=True):
        if format == "rle":
            assert np.array_equal(decoded(candidate["mask"]), mask)
        else:
            data = base64.b64decode(candidate["mask"].removeprefix("data:image/png;base64,"))
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(pixels, mask * np.uint8(255))


def test_the_same_pixels_are_the_same_image_whatever_they_come_in(client, picture):
    tiff = cv2.imencode(".tiff", picture[..., ::-1])[1].tobytes()
    files = [png(picture), tiff, npy(picture), npy(np.asfortranarray(picture))]
    assert len({send(client, data)[0]["image"] for data in files}) == 1
    deep = picture[..., 0].astype(np.float32) * 100
    refused = client.post("/v1/images", content=npy(deep))
    assert refused.status_code == 422 and "window" in refused.json()["error"]
    gray = np.repeat(picture[..., :1], 3, axis=2)
    assert send(client, npy(deep), low=0, high=25500)[0]["image"] == send(client, npy(gray))[0]["image"]


def test_clips_come_whole_or_in_part_and_objects_are_carried_through(client, predictor, picture, tmp_path):
    frames = [np.ascontiguousarray(np.roll(picture, shift, axis=1)) for shift in range(0, 8, 2)]
    path = tmp_path / "clip.tiff"
    assert cv2.imwritemulti(str(path), [frame[..., ::-1] for frame in frames])
    sent = send(client, path.read_bytes())
    assert [entry["frame"] for entry in sent] == [0, 1, 2, 3]
    assert [e["image"] for e in send(client, path.read_bytes(), first=1, last=2)] == [
        entry["image"] for entry in sent[1:3]
    ]
    missing = client.post("/v1/images", content=path.read_bytes(), params={"first": 9})
    assert missing.status_code == 422 and "its last is 3" in missing.json()["error"]
    ids = [entry["image"] for entry in sent]
    (start,) = predictor.encode(picture).segment([ObjectPrompt(box=BOX)]).rles()
    work = Follower(predictor, frames[0], dict.fromkeys(range(2), decoded(start)))
    objects = [
        {"mask": start},
        {"box": BOX},
    ]
    answer = client.post("/v1/propagate", json={"images": ids, "objects": objects}).json()
    assert [entry["image"] for entry in answer["frames"]] == ids[1:]
    for entry, frame in zip(answer["frames"], frames[1:], strict=True):
        for got, wanted in zip(entry["objects"], work.step(frame).values(), strict=True):
            assert (got is None) == (wanted is None)
            if got:
                assert np.array_equal(decoded(got["mask"]), wanted.mask) and got["drift"] == wanted.drift


def test_everything_is_what_the_library_finds(client, predictor, picture):
    from ultrasam.predict.automatic import Everything, find_everything

    options = {"points_per_side": 4, "min_iou": 0.0, "min_stability": 0.0}
    (sent,) = send(client, png(picture))
    answer = client.post(f"/v1/images/{sent['image']}/automatic", json=options)
    wanted = find_everything(predictor.encode(picture), Everything(**options))
    assert len(wanted) > 0
    found = answer.json()["objects"]
    assert [entry["score"] for entry in found] == pytest.approx(wanted.scores.tolist(), abs=1e-6)
    assert all(np.array_equal(decoded(e["mask"]), m) for e, m in zip(found, wanted.masks, strict=True))


def test_the_oldest_leave_and_the_memory_is_bounded(predictor):
    images = [waves(120, 200, seed=seed) for seed in range(4)]
    client = client_of(ImageService(predictor, memory=2 * 2 * images[0].nbytes))
    ids = [send(client, npy(image))[0]["image"] for image in images]
    status = client.get("/v1/status").json()
    assert status["images"] == 2 and status["bytes"] == 2 * images[0].nbytes <= status["limit"]
    for number, image in enumerate(ids):
        answer = client.post(f"/v1/images/{image}/prompt", json={"objects": [{"box": BOX}]})
        assert answer.status_code == (200 if number > 1 else 404)
        assert number > 1 or "send it again" in answer.json()["error"]
    assert send(client, npy(images[0]))[0]["image"] == ids[0]
    assert client.get(f"/v1/images/{ids[0]}").status_code == 200
    assert client.delete(f"/v1/images/{ids[0]}").status_code == 204
    assert client.get(f"/v1/images/{ids[0]}").status_code == 404
    large = client.post("/v1/images", content=npy(np.zeros((400, 400, 3), np.uint8)))
    assert large.status_code == 413 and "memory" in large.json()["error"]


def test_embeddings_that_have_left_are_made_again(predictor, picture):
    other = waves(120, 200, seed=5)
    engine = ImageService(predictor, memory=2**24)
    client = client_of(engine)
    (first,), body = send(client, npy(picture)), {"objects": [{"box": BOX}]}
    before = client.post(f"/v1/images/{first['image']}/prompt", json=body).json()
    engine._encoded.drop(first["image"])
    send(client, npy(other))
    assert client.post(f"/v1/images/{first['image']}/prompt", json=body).json() == before


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer wrong", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Token {TOKEN}", 401),
        ("Basic !!!", 401),
        ("Basic " + base64.b64encode(b"user:wrong").decode(), 401),
        ("Basic " + base64.b64encode(TOKEN.encode()).decode(), 401),
        ("Bearer \xe9", 401),
        (f"bearer {TOKEN}", 200),
        ("Basic " + base64.b64encode(f"any:{TOKEN}".encode()).decode(), 200),
    ],
)
def test_nobody_without_the_token(engine, authorization, status):
    client = testclient.TestClient(guarded(engine, TOKEN))
    headers = {} if authorization is None else {"authorization": authorization.encode("latin-1")}
    for path in ("/v1/status", "/label-studio/health"):
        assert client.get(path, headers=headers).status_code == status
    sent = client.post("/v1/images", content=b"x", headers=headers)
    assert sent.status_code == (401 if status == 401 else 422) and list(sent.json()) == ["error"]
    assert client.get("/health", headers=headers).json()["status"] == "UP"
    for origin in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert client.get("/health", headers=headers | origin).status_code == 403


HEADER = b"\x93NUMPY\x01\x00v\x00"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing of an image",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        b"\x93NUMPY",
        HEADER + b"{'descr': '|u1', 'fortran_order': False, 'shape': (999999999, 999999999), }",
        HEADER + b"(" * 118,
        HEADER + b"__import__('os').abort()".ljust(117) + b"\n",
        npy(np.array([{"a": 1}], dtype=object), allow_pickle=True),
        npy(np.zeros((4, 4), complex)),
        npy(np.zeros((2, 3, 4, 5), np.uint8)),
        npy(np.zeros((0, 5), np.uint8)),
        npy(np.zeros((20, 20, 3), np.uint8))[:-5],
        b"\0" * 128 + b"DICM" + b"\xff" * 60,
        png(waves())[:-200],
    ],
)
def test_hostile_files_are_refused_with_a_reason(client, data):
    answer = client.post("/v1/images", content=data)
    assert answer.status_code == 422, answer.text
    assert list(answer.json()) == ["error"] and "tmp" not in answer.text and "Traceback" not in answer.text
    assert client.get("/v1/status").json()["images"] == 0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "objects"),
        ({"objects": []}, "objects"),
        ({"objects": [{}]}, "no prompt"),
        ({"objects": [{"box": BOX}] * 65}, "64"),
        ({"objects": [{"box": BOX[:3]}]}, "box"),
        ({"objects": [{"box": [9, 9, 5, 5]}]}, "empty"),
        ({"objects": [{"box": BOX, "boks": BOX}]}, "boks"),
        ({"objects": [{"points": [[900, 5]]}]}, "outside its image"),
        ({"objects": [{"points": [[9, 5]], "labels": [2]}]}, "labels"),
        ({"objects": [{"points": [[9, 5]], "labels": [1, 1]}]}, "labels of shape"),
        ({"objects": [{"points": [[9, 5]] * 1001}]}, "1000"),
        ({"objects": [{"box": BOX}], "format": "exe"}, "format"),
        (b'{"objects": [{"box": [NaN, 1, 2, 3]}]}', "finite"),
        (b"[" * 100_000, "parsing the body"),
        (b"\xff\xfe", ""),
    ],
)
def test_what_is_wrong_with_a_prompt_is_said(client, picture, body, text):
    (sent,) = send(client, npy(picture))
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(
        f"/v1/images/{sent['image']}/prompt", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422) and list(answer.json()) == ["error"]
    assert text in answer.json()["error"]


def test_what_is_wrong_with_other_requests_is_said(client, picture):
    (a,), (b,) = send(client, npy(picture)), send(client, npy(picture[:50]))
    ids, box = [a["image"], b["image"]], {"box": BOX}
    for body, text in (
        ({"images": ids, "objects": [box]}, "200 x 50"),
        ({"images": ids[:1], "objects": [box]}, "images"),
        ({"images": [*ids, "x" * 500], "objects": [box]}, "not here"),
        ({"images": ids[:1] * 2, "objects": [{"mask": {"size": [9, 9], "counts": "PQ1"}}]}, "object 1"),
        (
            {"images": ids[:1] * 2, "objects": [{"mask": {"size": [120, 200], "counts": "\x7f~~~~~"}}]},
            "object 1",
        ),
        (
            {"images": ids[:1] * 2, "objects": [{**box, "mask": {"size": [1, 1], "counts": "1"}}]},
            "one of them",
        ),
    ):
        answer = client.post("/v1/propagate", json=body)
        assert answer.status_code in (404, 422) and text in answer.json()["error"], answer.text
    for options, text in (({"min_iou": 7}, "between 0 and 1"), ({"points_per_side": 99}, "1 to 64")):
        answer = client.post(f"/v1/images/{a['image']}/automatic", json=options)
        assert answer.status_code == 422 and text in answer.json()["error"]
    for query in ({"low": 5}, {"first": -1}, {"first": 3, "last": 1}, {"low": 5, "high": 5}):
        assert client.post("/v1/images", content=npy(picture), params=query).status_code == 422
    assert client.get("/v1/nothing").status_code == 404
    assert client.get("/v1/images/..%2f..%2fetc").status_code == 404


def test_bodies_are_bounded(engine, picture):
    client = client_of(engine, max_upload=100_000)
    assert client.post("/v1/images", content=b"x" * 100_001).status_code == 413

    def pieces():
        for _ in range(3):
            yield b"x" * 50_000

    assert client.post("/v1/images", content=pieces()).status_code == 413
    assert client.post("/v1/propagate", content=b" " * (16 * 2**20 + 1)).status_code == 413


def test_the_pages_describe_everything_and_need_nothing_from_elsewhere(engine):
    client = testclient.TestClient(guarded(engine, TOKEN))
    description = client.get("/openapi.json").json()
    routes = set(description["paths"])
    assert {"/health", "/v1/images", "/v1/images/{image}/prompt", "/v1/propagate"} <= routes
    assert "HTTPBearer" in description["components"]["securitySchemes"]
    page = client.get("/docs")
    assert all(path in page.text for path in routes) and "http" not in page.text.replace("HTTP", "")
    assert "PromptRequest" in page.text and "<script" not in page.text
    assert page.headers["x-content-type-options"] == "nosniff"


def test_eight_clients_of_a_real_server_get_what_one_gets(engine, predictor):
    uvicorn = pytest.importorskip("uvicorn")
    listener = listening.listen("127.0.0.1", 0)
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(guarded(engine, TOKEN), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)

        def ask(path, data):
            request = urllib.request.Request(
                origin + path, data, BEARER | {"content-type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)

        def work(seed):
            """Each image by two clients, which send and ask at the same time."""
            image = waves(90 + seed % 4, 140, seed=seed % 4)
            sent = ask("/v1/images", npy(image))["images"][0]["image"]
            body = json.dumps({"objects": [{"box": [30, 20, 90, 70]}, {"points": [[60 + seed % 4, 40]]}]})
            return [ask(f"/v1/images/{sent}/prompt", body.encode())["objects"] for _ in range(3)]

        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(work, range(8)))
    finally:
        server.should_exit = True
        thread.join()
    for seed, answers in enumerate(together):
        image = waves(90 + seed % 4, 140, seed=seed % 4)
        objects = [ObjectPrompt(box=[30, 20, 90, 70]), ObjectPrompt([[60 + seed % 4, 40]])]
        wanted = predictor.encode(image).segment(objects)
        assert answers[0] == answers[1] == answers[2]
        for entry, mask, score in zip(answers[0], wanted.masks, wanted.scores, strict=True):
            assert np.array_equal(decoded(entry["mask"]), mask)
            assert entry["score"] == pytest.approx(float(score), abs=1e-6)
