"""A real Label Studio with ``ultrasam serve`` as its backend, over its API and by its page in Chromium.

It takes a minute, and the first time some more, in which Label Studio is installed into a folder (1 GB) and
makes its data base, so one asks for it: ``ULTRASAM_LABEL_STUDIO=FOLDER python -m pytest`` with this file.
"""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.kit import label_studio as kit
from tests.kit.annotator import browser_path, chromium
from tests.kit.sdks import brush_of
from ultrasam.phantom import simulate
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.serve.brush_rle import encode_brush

httpx = pytest.importorskip("httpx", reason="httpx (extra 'dev') is not installed")
pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 300, 420
DOCUMENT = Path(__file__).parents[2] / "docs" / "integrations.md"


def labeling_interface():
    """The one that the documentation gives."""
    return DOCUMENT.read_text().split("```xml\n")[1].split("```")[0]


@pytest.fixture(scope="module")
def folder():
    given = os.environ.get("ULTRASAM_LABEL_STUDIO")
    if not given:
        pytest.skip("ULTRASAM_LABEL_STUDIO names no folder to install Label Studio in (1 GB; takes minutes)")
    folder = Path(given).expanduser().absolute()
    try:
        kit.installed(folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{kit.PACKAGE} can't be installed: {error.stderr.decode()[-300:]}")
    return folder


@pytest.fixture(scope="module")
def scan():
    """(H, W, 3) uint8, and the mask of the object that is clicked at."""
    made = simulate(1, 3, size=WIDTH)
    mask = max((entry.mask for entry in made.objects), key=np.sum)[:HEIGHT]
    return np.repeat(made.image[:HEIGHT, :, None], 3, axis=2), mask


@pytest.fixture(scope="module")
def project(folder, scan, tmp_path_factory):
    """A project with one image and our backend, as its owner makes it."""
    with kit.label_studio(folder, tmp_path_factory.mktemp("label-studio")) as address:
        api = httpx.Client(
            base_url=address, headers={"Authorization": f"Token {kit.LEGACY_TOKEN}"}, timeout=60
        )
        key = api.post("/api/token/", json={}).json()["token"]
        with kit.ultrasam_serve(address, key) as backend:
            interface = {"title": "Scans", "label_config": labeling_interface()}
            number = api.post("/api/projects", json=interface).raise_for_status().json()["id"]
            image = cv2.imencode(".png", scan[0])[1].tobytes()
            files = {"file": ("a scan.png", image, "image/png")}
            api.post(f"/api/projects/{number}/import", files=files).raise_for_status()
            (task,) = api.get(f"/api/tasks?project={number}").json()["tasks"]
            model = {"url": backend, "project": number, "title": "UltraSam", "is_interactive": True}
            model |= {"auth_method": "BASIC_AUTH", "basic_auth_user": "any"}
            refused = api.post("/api/ml", json=model | {"basic_auth_pass": "wrong"})
            assert refused.status_code == 400 and "authentication" in refused.text
            connected = api.post("/api/ml", json=model | {"basic_auth_pass": kit.TOKEN}).json()
            assert connected["readable_state"] == "Connected", connected
            (library,) = folder.glob("venv/lib/python*/site-packages/label_studio_sdk")
            yield SimpleNamespace(
                api=api,
                address=address,
                id=number,
                task=task["id"],
                model=connected,
                brush=brush_of(library),
            )
        api.close()


@pytest.fixture(scope="module")
def encoded(scan):
    return Predictor("small").encode(scan[0])


def result(kind, value, **more):
    """As the page sends it."""
    tag = {"keypointlabels": "point", "rectanglelabels": "box", "brushlabels": "brush"}[kind]
    value = {**value, kind: ["Vessel"]}
    sizes = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    names = {"from_name": tag, "to_name": "image", "type": kind, "origin": "manual"}
    return names | {"value": value, **sizes, **more}


def click(x, y, inside=True):
    value = {"x": 100 * x / WIDTH, "y": 100 * y / HEIGHT, "width": 0.3, "labels": ["Vessel"]}
    return result("keypointlabels", value, is_positive=inside)


BOX = [30, 170, 260, 296]
STROKE = np.zeros((HEIGHT, WIDTH), bool)
STROKE[BOX[1] : BOX[3], BOX[0] : BOX[2]] = True
RECTANGLE = {
    "x": 100 * BOX[0] / WIDTH,
    "y": 100 * BOX[1] / HEIGHT,
    "width": 100 * (BOX[2] - BOX[0]) / WIDTH,
    "height": 100 * (BOX[3] - BOX[1]) / HEIGHT,
    "rotation": 0,
}
CASES = {
    "a click": ([click(140, 235)], ObjectPrompt([[140, 235]]), True),
    "clicks inside and outside": (
        [click(140, 235), click(50, 200, inside=False), click(225, 280)],
        ObjectPrompt([[140, 235], [50, 200], [225, 280]], [1, 0, 1]),
        False,
    ),
    "a rectangle": ([result("rectanglelabels", RECTANGLE)], ObjectPrompt(box=BOX), False),
    "a rectangle and a click outside": (
        [result("rectanglelabels", RECTANGLE), click(50, 200, inside=False)],
        ObjectPrompt([[50, 200]], [0], BOX),
        False,
    ),
    "a brush stroke": (
        [result("brushlabels", {"format": "rle", "rle": encode_brush(STROKE)})],
        ObjectPrompt(box=BOX),
        False,
    ),
}


def interact(project, results):
    address = f"/api/ml/{project.model['id']}/interactive-annotating"
    return project.api.post(address, json={"task": project.task, "context": {"result": results}}).json()


@pytest.mark.parametrize("case", CASES)
def test_interactive_predictions_are_the_predictors_masks(project, encoded, case):
    results, prompt, multimask = CASES[case]
    answer = interact(project, results)
    (region,) = answer["data"]["result"]
    decoded = project.brush.decode_rle(region["value"]["rle"]).reshape(HEIGHT, WIDTH, 4)[..., 3]
    wanted = encoded.segment([prompt], multimask=multimask)
    assert set(np.unique(decoded)) == {0, 255} and np.array_equal(decoded > 0, wanted.masks[0])
    assert region["value"]["brushlabels"] == ["Vessel"]
    assert answer["data"]["score"] == pytest.approx(float(wanted.scores[0]), abs=1e-4)


def test_what_is_submitted_is_exported_by_its_own_converter_as_the_same_mask(project, encoded):
    (region,) = interact(project, CASES["a rectangle"][0])["data"]["result"]
    sent = {"result": [region], "lead_time": 1.0}
    made = project.api.post(f"/api/tasks/{project.task}/annotations", json=sent).raise_for_status().json()
    try:
        (mask,) = exported(project)
    finally:
        project.api.delete(f"/api/annotations/{made['id']}")
    assert np.array_equal(mask, encoded.segment([CASES["a rectangle"][1]]).masks[0])


def exported(project):
    """The masks of all annotations, as Label Studio converts them."""
    address = f"/api/projects/{project.id}/export?exportType=BRUSH_TO_PNG"
    content = project.api.get(address).raise_for_status().content
    # One file comes as it is, several come packed.
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as files:
            found = [files.read(name) for name in files.namelist() if name.endswith(".png")]
    else:
        found = [content]
    return [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) > 0 for data in found]


def test_refusals_and_tasks_without_a_user(project):
    assert "422" in interact(project, [click(50, 200, inside=False)])["errors"][0]
    versions = project.api.get(f"/api/ml/{project.model['id']}/versions").json()
    assert versions == {"versions": [project.model["model_version"]]}
    everything = {"selectedItems": {"all": True, "excluded": []}}
    address = f"/api/dm/actions?id=retrieve_tasks_predictions&project={project.id}"
    project.api.post(address, json=everything).raise_for_status()
    assert project.api.get(f"/api/tasks/{project.task}").json()["predictions"] == []


def test_clicks_on_the_page(project, encoded):
    if browser_path() is None:
        pytest.skip("no Chromium on this machine")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{project.address}/user/login")
        page.fill("input[name=email]", kit.USER)
        page.fill("input[name=password]", kit.PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "login" not in url)
        page.goto(f"{project.address}/projects/{project.id}/data?task={project.task}")
        page.get_by_text("Auto-Annotation").click()
        page.locator(".lsf-tool_smart:visible").first.click()
        area = page.locator(".konvajs-content canvas").first.bounding_box()
        scale = area["width"] / WIDTH

        def press(x, y, outside=False):
            """Choose the label of the smart points, click; what was asked, once it is answered."""
            page.locator(".lsf-labels").nth(1).get_by_text("Vessel").click()
            with page.expect_response("**/interactive-annotating") as answered:
                if outside:
                    page.keyboard.down("Alt")
                page.mouse.click(area["x"] + x * scale, area["y"] + y * scale)
                page.keyboard.up("Alt")
            return answered.value.request.post_data_json["context"]["result"]

        press(140, 235)
        asked = press(50, 200, outside=True)
        page.wait_for_selector("text=1 suggestions")
        page.get_by_text("1 suggestions").locator("xpath=following::button[2]").click()
        page.get_by_role("button", name="Submit").click()
        page.wait_for_selector("text=Update")
    assert [entry["is_positive"] for entry in asked] == [True, False]
    points = [[entry["value"]["x"] * WIDTH / 100, entry["value"]["y"] * HEIGHT / 100] for entry in asked]
    # The page shows the image a little larger than its frame.
    assert np.allclose(points, [[140, 235], [50, 200]], atol=15)
    (mask,) = exported(project)
    assert np.array_equal(mask, encoded.segment([ObjectPrompt(points, [1, 0])]).masks[0])
