"""The page of ``ultrasam annotate`` in a real Chromium, before a real server with the small model."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.kit.annotator import Served, browser_path, chromium
from tests.kit.pictures import scan
from ultrasam.annotate import journal
from ultrasam.cli import main
from ultrasam.data import images
from ultrasam.predict.detections import Detections
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser_path() is None, reason="needs a Chromium (Debian: apt install chromium)"),
]
BAD = "<img src=x onerror=alert(1)>"
#: Real images, where they are at hand.
SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
STATIC = Path(__file__).parents[2] / "ultrasam/annotate/static"


def _picture(number: int) -> np.ndarray:
    """A real scan where some are at hand, else a simulated one; 160 pixels a side."""
    real = sorted(SAMPLES.glob("stu_hospital/**/Test_Image_*.png")) if SAMPLES.is_dir() else []
    if number >= len(real):
        return scan(3, number, 160)
    return cv2.resize(
        images.as_rgb(images.read_image(real[number])), (160, 160), interpolation=cv2.INTER_AREA
    )


@pytest.fixture(scope="module")
def model() -> Predictor:
    return Predictor()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, model: Predictor) -> Iterator[Served]:
    """Twelve images, one of them of a nasty name, and a clip."""
    folder = tmp_path_factory.mktemp("scans")
    for number in range(11):
        images.write_image(folder / f"scan_{number + 1:02d}.png", _picture(number))
    images.write_image(folder / f"{BAD}.png", scan(3, 11, 160))
    video = cv2.VideoWriter(str(folder / "zz_clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 160))
    for number in range(6):
        video.write(np.roll(scan(3, 0, 160), 2 * number, axis=1))
    video.release()
    server = Served([folder], out=folder / "labels.json", classes=["lesion", BAD], model=model)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as one:
        yield one


class Page:
    """A page as somebody sees it: places are pixels of the image."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def js(self, body: str, argument: Any = None) -> Any:
        """The value of a function's body that has the page's modules at hand."""
        names = ("state", "view", "saving", "settings")
        modules = ", ".join(f"{{ {name} }}" for name in names)
        imports = ", ".join(f'import("/static/{name}.js")' for name in names)
        return self.page.evaluate(
            f"async (given) => {{ const [{modules}] = await Promise.all([{imports}]); {body} }}", argument
        )

    def until(self, condition: str, argument: Any = None) -> Any:
        """Waits for a truth; the page's policy forbids Playwright's own way."""
        body = f"""const end = performance.now() + 30000;
          for (;;) {{
            const found = await (async () => {{ {condition} }})();
            if (found) return found;
            if (performance.now() > end) return null;
            await new Promise((done) => setTimeout(done, 10));
          }}"""
        found = self.js(body, argument)
        assert found, f"never true: {condition}; notices: {self.page.inner_text('#notices')!r}"
        return found

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place of the image on the screen."""
        return tuple(
            self.js(
                """const { left, top } = document.getElementById("overlay").getBoundingClientRect();
                const { toScreen } = await import("/static/view.js");
                const [sx, sy] = toScreen(...given);
                return [left + sx, top + sy];""",
                [x, y],
            )
        )

    def click(self, x: float, y: float, **options: Any) -> None:
        self.page.mouse.click(*self.at(x, y), **options)
        self.saved()

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=3)
        self.page.mouse.up()
        self.saved()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.saved()

    def saved(self) -> None:
        self.until("return saving.status === 'saved' && saving.waiting === 0;")

    def frame(self) -> dict[str, Any]:
        """What the page knows of the open frame."""
        return self.until("return state.frames.get(`${state.item}/${state.frame}`);")

    def objects(self) -> list[dict[str, Any]]:
        return self.frame()["objects"]

    def open(self, name: str) -> None:
        """Opens an image by its name in the list."""
        self.page.get_by_role("navigation").get_by_title(name, exact=True).click()
        self.until(
            """const { hasPicture } = await import("/static/canvas.js");
            return state.items.find((item) => item.id === state.item)?.name === given && hasPicture()
              && state.frames.has(`${state.item}/0`);""",
            name,
        )


def _visit(browser: Any, served: Served, problems: list[str], **options: Any) -> Page:
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 720}, **options})
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("request", lambda request: _local(request.url, served, problems))
    page.on("console", lambda message: message.type in ("error", "warning") and problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
    page.goto(served.address)
    page.wait_for_selector("html[data-ready]")
    return Page(page)


def _local(url: str, served: Served, problems: list[str]) -> None:
    if not url.startswith((f"{served.origin}/", "data:", "blob:")):
        problems.append(f"asked for {url}")


@pytest.fixture
def problems() -> list[str]:
    """What console and network must not show; tests in which the server is gone take their part away."""
    return []


@pytest.fixture
def page(browser: Any, served: Served, problems: list[str]) -> Iterator[Page]:
    one = _visit(browser, served, problems)
    yield one
    one.page.context.close()
    assert not problems


def test_a_morning_s_work(page: Page, served: Served, model: Predictor, tmp_path: Path) -> None:
    page.open("scan_01.png")
    page.drag((30, 40), (120, 110))
    (boxed,) = page.objects()
    assert boxed["box"] == pytest.approx([30, 40, 120, 110], abs=1)

    page.open("scan_02.png")
    page.click(80, 60)
    (clicked,) = page.objects()
    assert len(clicked["candidates"]) == 3
    page.press("c")
    assert page.objects()[0]["candidate"] == (clicked["candidate"] + 1) % 3
    page.press("Control+z")
    page.click(20, 140, button="right")
    (clicked,) = page.objects()
    assert clicked["labels"] == [1, 0]

    page.press("b")
    page.drag((10, 10), (60, 12))
    (brushed,) = page.objects()
    assert brushed["area"] > clicked["area"] and brushed["source"] == "brush"
    page.press("Control+z")
    assert page.objects()[0]["mask"] == clicked["mask"]
    page.press("Control+Shift+z")
    assert page.objects()[0]["mask"] == brushed["mask"]
    page.press("Control+z")
    page.press("2")
    assert page.objects()[0]["class"] == 1
    page.press("Enter")
    page.until("return state.items.find((item) => item.id === state.item).name === 'scan_03.png';")

    page.page.reload()
    page.page.wait_for_selector("html[data-ready]")
    assert page.js("return state.items.find((item) => item.id === state.item).name") == "scan_03.png"
    served.stop()
    served.start()
    page.page.goto(served.address)
    page.page.wait_for_selector("html[data-ready]")
    page.open("scan_01.png")
    assert page.objects()[0]["mask"] == boxed["mask"]
    page.open("scan_02.png")
    (kept,) = page.objects()
    assert (kept["mask"], kept["class"]) == (clicked["mask"], 1)
    assert page.js("return state.items.find((item) => item.id === state.item).state") == "accepted"

    _labels_are_right(served, model, {"scan_01.png": boxed, "scan_02.png": clicked})


def _labels_are_right(served: Served, model: Predictor, drawn: dict[str, dict[str, Any]]) -> None:
    """The file passes the project's own check, and its masks are `Predictor`'s for the same prompts."""
    served.session.save()
    path = served.session.out
    assert main(["data", "check", str(path), "--images", str(path.parent)]) == 0
    content = json.loads(path.read_text())
    ids = {entry["file_name"]: entry["id"] for entry in content["images"]}
    for name, made in drawn.items():
        (entry,) = [one for one in content["annotations"] if one["image_id"] == ids[name]]
        prompt = ObjectPrompt(made["points"] or None, made["labels"] or None, made["box"])
        expected = model.encode(images.read_image(path.parent / name)).segment([prompt]).masks[0]
        code = entry["segmentation"]
        assert np.array_equal(coco_mask.decode(code).astype(bool), expected)


def _random_masks() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    blobs = [cv2.GaussianBlur(rng.random((h, w)), (0, 0), 2) > 0.5 for h, w in ((31, 47), (64, 20), (5, 200))]
    one = np.zeros((9, 7), bool)
    one[4, 3] = True
    column = np.zeros((6, 4), bool)
    column[3:, 1] = column[:2, 2] = True
    noise = rng.random((40, 33)) > 0.5
    return [*blobs, one, column, noise, np.ones((8, 5), bool), np.zeros((8, 5), bool), ~one]


def test_masks_are_unpacked_and_outlined_as_pycocotools_packs_them(page: Page) -> None:
    for mask in _random_masks():
        code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        found = page.js(
            """const { Mask } = await import("/static/masks.js");
            const { loopsOf } = await import("/static/outline.js");
            const mask = new Mask(given);
            let area = 0; // by the shoelace formula, holes taken away
            for (const loop of loopsOf(mask)) loop.forEach(([x, y], k) => {
              const [nx, ny] = loop[(k + 1) % loop.length];
              area += (x * ny - nx * y) / 2;
            });
            const { x, y, w, h } = mask;
            return { box: [x, y, w, h], data: [...mask.data], area: mask.area, enclosed: area };""",
            {"size": code["size"], "counts": code["counts"].decode()},
        )
        x, y, w, h = found["box"]
        assert [x, y, w, h] == coco_mask.toBbox(code).tolist()
        assert np.array_equal(np.array(found["data"], bool).reshape(h, w), mask[y : y + h, x : x + w])
        assert found["area"] == found["enclosed"] == mask.sum()
        # Of huge images shown small, every third pixel.
        coarse = page.js(
            """const { Mask } = await import("/static/masks.js");
            const { data, area } = new Mask(given, 3);
            return { data: [...data], area };""",
            {"size": code["size"], "counts": code["counts"].decode()},
        )
        expected = mask[y : y + h : 3, x : x + w : 3]
        assert np.array_equal(np.array(coarse["data"], bool).reshape(expected.shape), expected)
        assert coarse["area"] == mask.sum()


def test_a_click_before_the_first_answer_goes_to_the_same_object(page: Page) -> None:
    page.open("scan_04.png")
    page.page.mouse.click(*page.at(70, 70))
    page.page.mouse.click(*page.at(90, 90))
    page.page.mouse.click(*page.at(10, 150), button="right")
    page.saved()
    (only,) = page.objects()
    assert only["labels"] == [1, 1, 0]
    assert page.js("return state.selected") == only["id"]


def test_boxes_points_and_strokes_are_changed_by_hand(page: Page) -> None:
    page.open("scan_05.png")
    page.drag((40, 40), (100, 100))
    page.drag((100, 100), (120, 110))
    assert page.objects()[0]["box"] == pytest.approx([40, 40, 120, 110], abs=1)
    page.drag((60, 40), (60, 30))
    assert page.objects()[0]["box"] == pytest.approx([40, 30, 120, 110], abs=1)
    page.click(70, 70)
    page.drag((70, 70), (80, 60))
    assert np.allclose(page.objects()[0]["points"], [[80, 60]], atol=1)
    page.click(80, 60)
    assert page.objects()[0]["points"] == []
    before = page.objects()[0]["area"]
    page.press("e")
    page.drag((70, 60), (90, 75))
    assert page.objects()[0]["area"] < before
    page.press("Delete")
    assert page.objects() == []


def test_names_of_files_and_classes_are_text(page: Page) -> None:
    page.open(f"{BAD}.png")
    page.click(80, 80)
    page.press("2")
    content = page.page.inner_text("body")
    assert content.count(BAD) >= 3
    assert page.page.locator("img[src=x]").count() == 0
    assert f"{BAD}.png" in page.page.locator(".row-button[aria-current=true] .row-name").text_content()


def test_everything_by_keys(page: Page) -> None:
    page.open("scan_06.png")
    page.page.locator("#overlay").focus()
    for key in ("Alt+ArrowLeft", "Alt+ArrowUp", "."):
        page.press(key)
    (made,) = page.objects()
    # The cross begins in the middle and goes eight pixels of the screen a time.
    step = 8 / page.js("return view.scale")
    assert made["points"][0] == pytest.approx([80 - step, 80 - step], abs=0.5)
    for key in ("n", "/", "Alt+Shift+ArrowRight", "Alt+Shift+ArrowDown", "/"):
        page.press(key)
    assert page.objects()[1]["box"] == pytest.approx(
        [80 - step, 80 - step, 80 + 4 * step, 80 + 4 * step], abs=0.5
    )
    page.press("?")
    sheet = page.page.locator("#help")
    assert sheet.is_visible()
    listed = sheet.inner_text()
    for words in ("Undo", "Brush", "Accept and go on", "Propagate forward", "outside of it"):
        assert words in listed
    page.press("Escape")
    assert not sheet.is_visible()
    commands = page.js(
        "const { COMMANDS } = await import('/static/commands.js'); return COMMANDS.map((one) => one.keys)"
    )
    keys = [key for one in commands for key in one]
    assert len(keys) == len(set(keys))
    page.press("f")
    page.press("k")
    page.open("scan_06.png")
    assert page.js(
        "const item = state.items.find((one) => one.id === state.item); return [item.flagged, item.state]"
    ) == [True, "skipped"]


def test_the_list_filters_and_sorts_the_least_sure_first(page: Page) -> None:
    page.page.select_option("#sort", "unsure")
    shown = page.js("return state.order.map((id) => state.items[id].iou)")
    scores = [score for score in shown if score is not None]
    assert len(scores) >= 3 and scores == sorted(scores) and shown[: len(scores)] == scores
    page.page.select_option("#sort", "order")
    page.page.fill("#find", "scan_1")
    page.until("return state.order.length === 2 || state.order.length === 3;")
    page.page.fill("#find", "")
    page.page.select_option("#filter", "flagged")
    flagged = page.js(
        "return state.order.map((id) => state.items[id]).filter((item) => item.id !== state.item)"
    )
    assert all(item["flagged"] for item in flagged)


def test_views_zoom_contrast_and_calipers(page: Page) -> None:
    page.open("scan_07.png")
    before = page.at(40, 50)
    page.page.mouse.move(*before)
    page.page.mouse.wheel(0, -400)
    assert page.at(40, 50) == pytest.approx(before, abs=2)
    assert page.js("return view.scale") > 5
    page.press("0")
    page.press("w")
    page.drag((80, 80), (100, 90))
    slope = page.js("return Number(document.querySelector('#levels feFuncR').getAttribute('slope'))")
    assert slope == pytest.approx(1 / page.js("return settings.window")) and slope < 1
    page.press("Shift+w")
    page.press("m")
    page.drag((10, 20), (40, 60))
    shown = "const { calipersHere } = await import('/static/calipers.js'); return calipersHere();"
    assert page.frame()["calipers"] == [pytest.approx([10, 20, 40, 60], abs=0.5)]
    page.drag((40, 60), (40, 80))
    assert page.frame()["calipers"] == [pytest.approx([10, 20, 40, 80], abs=0.5)]
    page.press("Control+z")
    ((one,),) = [page.js(shown)]
    assert [*one["a"], *one["b"]] == pytest.approx([10, 20, 40, 60], abs=0.5)
    page.click(10, 20, button="right")
    assert page.frame()["calipers"] == []
    assert (
        page.js(
            "const d = await import('/static/draft.js'); return d.lengthText([0, 0], [30, 40], [0.1, 0.2])"
        )
        == "8.5 mm"
    )
    assert page.objects() == []


def test_the_preview_follows_the_cursor_and_can_be_switched_off(page: Page) -> None:
    page.open("scan_08.png")
    page.page.mouse.move(*page.at(70, 75))
    page.page.mouse.move(*page.at(72, 77))
    shown = "const { preview } = await import('/static/canvas.js'); return preview.answer"
    page.until(f"{shown} !== null;")
    page.press("g")
    page.page.mouse.move(*page.at(20, 20))
    page.page.mouse.move(*page.at(21, 20))
    page.until(f"{shown} === null;")
    page.press("g")


def test_a_change_from_elsewhere_is_shown_and_not_overwritten(
    page: Page, served: Served, problems: list[str]
) -> None:
    page.open("scan_09.png")
    number = page.frame()["item"]
    served.session.edit(
        number, 0, page.frame()["revision"], {"kind": "add", "class": 0, "box": [20, 20, 90, 90]}
    )
    page.click(120, 120)
    (theirs,) = page.objects()
    assert theirs["box"] == [20, 20, 90, 90]
    assert "changed elsewhere" in page.page.inner_text("#notices")
    assert "409" in problems.pop()


def test_without_the_server_work_is_kept_and_saved_later(
    page: Page, served: Served, problems: list[str]
) -> None:
    page.open("scan_10.png")
    served.stop()
    page.page.mouse.click(*page.at(60, 60))
    page.until("return saving.status === 'unsaved' && saving.waiting === 1;")
    page.page.mouse.click(*page.at(80, 80))
    page.until("return saving.waiting === 2;")
    assert page.page.locator("#offline").is_visible()
    assert "Not saved (2)" in page.page.inner_text("#saved")
    served.start()
    page.page.click("#offline-retry")
    page.saved()
    assert page.objects()[0]["labels"] == [1, 1]
    assert not page.page.locator("#offline").is_visible()
    assert "Saved" in page.page.inner_text("#saved")
    assert all("ERR_CONNECTION" in text for text in problems)
    problems.clear()


def test_a_page_that_is_closed_unsaved_leaves_its_work_to_the_next(
    page: Page, served: Served, problems: list[str]
) -> None:
    page.open("scan_10.png")
    before = len(page.objects())
    served.stop()
    page.page.keyboard.press("n")
    page.page.mouse.click(*page.at(30, 130))
    page.until("return saving.status === 'unsaved';")
    other = page.page.context.new_page()
    page.page.close()
    served.start()
    other.goto(served.address)
    other.wait_for_selector("html[data-ready]")
    page.page = other
    page.saved()
    page.open("scan_10.png")
    assert len(page.objects()) == before + 1
    assert page.js("return Object.keys(localStorage).filter((name) => name.includes('unsaved'))") == []
    problems.clear()


def test_another_program_s_labels_are_asked_about(page: Page, served: Served) -> None:
    page.open("scan_11.png")
    page.click(70, 70)
    served.session.save()
    path = served.session.out
    other = path.read_text().replace("{", "{ ", 1)
    path.write_text(other)
    page.click(75, 90)
    page.until(
        "const { check } = await import('/static/notices.js'); await check(); return state.session.conflict;"
    )
    assert page.page.locator("#conflict").is_visible()
    assert path.read_text() == other
    page.page.click("#keep-mine")
    page.until("return !state.session.conflict;")
    assert not page.page.locator("#conflict").is_visible()
    assert any(file.read_text() == other for file in path.parent.glob("*theirs*.json"))


def test_an_image_that_was_replaced_is_shown_in_its_own_shape(
    page: Page, served: Served, problems: list[str]
) -> None:
    item = page.js("return state.items.find((one) => one.name === 'scan_09.png').id;")
    path = served.session.items[item].path
    before = path.read_bytes()
    try:
        images.write_image(path, scan(3, 8, 160)[:, :90])
        page.js(
            'const { open } = await import("/static/open.js"); await open(given, 0);',
            item,
        )
        page.until("return view.imageWidth === 90 && view.imageHeight === 160;")
    finally:
        path.write_bytes(before)
        served.session.image(item)
    # What the page asked before it knew of the new shape may lie outside of it, and is refused.
    problems[:] = [text for text in problems if "400 (Bad Request)" not in text]


def test_classes_are_edited_in_place(page: Page) -> None:
    page.page.click("#class-edit")
    page.page.click("#class-add")
    page.page.keyboard.type("vessel")
    page.page.click("#class-form button[type=submit]")
    page.until("return state.classes.length === 3;")
    page.until("return document.getElementById('classes').textContent.includes('vessel');")


def test_a_clip_is_scrubbed_played_and_curved(page: Page) -> None:
    page.open("zz_clip.avi")
    page.until("return state.items.find((item) => item.id === state.item).frames === 6;")
    assert page.page.locator("#cine").is_visible()
    page.drag((40, 40), (120, 120))
    area = page.objects()[0]["area"]
    page.until("return document.getElementById('curve-words').textContent.includes(`${given} px`);", area)
    page.press("End")
    page.until("return state.frame === 5;")
    assert page.page.inner_text("#frame-number") == "6 / 6"
    page.press("Home")
    page.page.locator("#overlay").focus()
    page.press("Space")
    page.until("return state.frame >= 3;")


def test_objects_are_carried_through_a_clip(page: Page) -> None:
    page.open("zz_clip.avi")
    page.press("Shift+Delete")
    page.drag((30, 40), (120, 110))
    page.press("r")
    page.until("return !state.job && state.frame === 5;")
    page.until("return state.items.find((item) => item.id === state.item).labelled_frames.length === 6;")
    (carried,) = page.objects()
    assert carried["source"] == "propagated"
    page.until("return document.getElementById('notices').innerText.includes('5 frames');")


def test_everything_found_is_accepted_or_rejected_one_by_one(page: Page) -> None:
    page.open("scan_11.png")
    page.press("Shift+Delete")
    page.press("a")
    page.until("return !state.job && document.getElementById('notices').innerText;")
    found = page.objects()
    assert {one["source"] for one in found} == {"suggested"}
    assert page.js("return state.items.find((item) => item.id === state.item).objects") == 0
    page.press("y")
    assert [one["source"] for one in page.objects()].count("suggested") == len(found) - 1
    while len(page.objects()) > 1:
        page.press("Delete")
    (kept,) = page.objects()
    assert kept["source"] != "suggested"


def test_a_detector_s_boxes_are_suggested_with_its_score(
    page: Page, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Detections(
        np.array([[30.0, 40, 120, 110], [170, 0, 190, 9]]), np.array([0.8, 0.4]), np.zeros(2, int)
    )
    fixed = SimpleNamespace(title="fixed", names=["lesion"], propose=lambda encoded: found)
    monkeypatch.setattr(served.session, "proposer", fixed)
    page.open("scan_10.png")
    page.press("Shift+Delete")
    page.press("a")
    page.until("return !state.job && document.getElementById('notices').innerText;")
    told = page.page.inner_text("#notices")
    assert "1 suggestion. Y accepts" in told and "1 detection without a pixel of the image left out" in told
    (one,) = page.objects()
    assert one["box"] == [30, 40, 120, 110] and one["detected"] == 0.8
    assert "Detector's score\n0.80" in page.page.inner_text("#objects .chosen")
    page.press("y")
    assert [entry["source"] for entry in page.objects()] == ["prompt"]


def test_notices_go_with_their_image_or_when_told_to(page: Page) -> None:
    page.open("scan_10.png")
    page.press("Shift+Delete")
    notices = page.page.locator("#notices .notice")
    page.click(40, 40, button="right")
    assert "click inside or draw a box first" in notices.inner_text() and page.objects() == []
    notices.get_by_role("button", name="Dismiss").click()
    assert notices.count() == 0
    # Painted, an object still has no place inside of it that the model was told.
    page.press("b")
    page.drag((40, 40), (60, 42))
    page.press("p")
    page.click(100, 100, button="right")
    assert notices.count() == 1 and page.objects()[0]["points"] == []
    page.open("scan_11.png")
    assert notices.count() == 0


def test_what_is_painted_stays_when_one_clicks_on(page: Page) -> None:
    page.open("scan_10.png")
    page.press("Shift+Delete")
    page.click(80, 80)
    page.press("b")
    page.drag((5, 5), (30, 6))
    page.press("p")
    page.click(20, 140, button="right")
    (one,) = page.objects()
    assert one["labels"] == [1, 0] and one["source"] == "brush"
    assert coco_mask.decode(one["mask"])[5, 8:28].all()


def test_names_hide_nothing_and_broken_pictures_are_marked(
    browser: Any, problems: list[str], model: Predictor, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    for name in ("a\nb\u202egpj.png", "\u05d0\u05d1\u05d2_01.png"):
        images.write_image(folder / name, scan(3, 1, 96))
    whole = images.encode_image(scan(3, 2, 96))
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    served = Served([folder], model=model)
    page = _visit(browser, served, problems)
    try:
        names = page.page.locator(".row-name").all_text_contents()
        assert "a⟨U+000A⟩b⟨U+202E⟩gpj.png" in names and "\u05d0\u05d1\u05d2_01.png" in names
        assert "⟨U+202E⟩" in page.page.text_content("#item-name")
        page.until("return document.querySelectorAll('.row .thumb use[href=\"#i-warning\"]').length === 1;")
        row = page.page.get_by_title("cut.png", exact=True)
        assert "cannot be read" in row.inner_text() or "partly unreadable" in row.inner_text()
    finally:
        page.page.context.close()
        served.stop()
    assert all("400" in text for text in problems)


def test_a_full_disk_loses_nothing(
    page: Page, served: Served, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    page.open("scan_08.png")
    with monkeypatch.context() as patch:
        patch.setattr(journal, "os", SimpleNamespace(**{**vars(os), "write": full}))
        page.page.mouse.click(*page.at(70, 70))
        page.until("return saving.status === 'unsaved';")
        assert "No space left on device" in page.page.inner_text("#offline")
    page.page.click("#offline-retry")
    page.saved()
    assert len(page.objects()) == 1
    assert all("507" in text for text in problems)
    problems.clear()


def test_fingers(browser: Any, served: Served, problems: list[str]) -> None:
    tablet = {"viewport": {"width": 1024, "height": 768}, "has_touch": True, "is_mobile": True}
    page = _visit(browser, served, problems, **tablet)
    page.open("scan_03.png")
    page.page.touchscreen.tap(*page.at(80, 70))
    page.until("return state.frames.get(`${state.item}/0`).objects.length === 1;")
    page.page.locator("[data-run=sign]").tap()
    page.page.touchscreen.tap(*page.at(20, 150))
    page.until("return state.frames.get(`${state.item}/0`).objects[0].labels.length === 2;")
    assert page.objects()[0]["labels"] == [1, 0]
    scale = page.js("return view.scale")
    fingers = page.page.context.new_cdp_session(page.page)
    (x, y), (x2, y2) = page.at(60, 60), page.at(90, 60)
    for kind, spread in (("touchStart", 0), ("touchMove", 30), ("touchMove", 60)):
        points = [{"x": x - spread, "y": y, "id": 0}, {"x": x2 + spread, "y": y2, "id": 1}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.until(f"return view.scale > {1.5 * scale};")
    assert len(page.objects()) == 1
    smallest = page.page.evaluate(
        "[...document.querySelectorAll('.bar button, .foot button')].filter((one) => one.offsetParent)"
        ".map((one) => Math.min(one.offsetWidth, one.offsetHeight)).sort((a, b) => a - b)[0]"
    )
    assert smallest >= 40
    page.page.context.close()
    assert not problems


@pytest.mark.parametrize("size", [(1280, 720), (820, 1180), (390, 844)])
def test_nothing_hides_anything_at_three_sizes(
    browser: Any, served: Served, problems: list[str], size: tuple[int, int]
) -> None:
    page = _visit(browser, served, problems, viewport={"width": size[0], "height": size[1]})
    parts = page.js(
        """const rect = ({ left, top, right, bottom }) => [left, top, right, bottom];
        const of = (selector) => [...document.querySelectorAll(selector)]
          .filter((one) => one.offsetParent).map((one) => rect(one.getBoundingClientRect()));
        const [bar, stage, foot, panel] = [".bar", "#stage", ".foot", ".panel"].map((one) => of(one)[0]);
        return { big: [bar, stage, foot, panel], stage, foot: of(".foot > button") };"""
    )
    for number, (left, top, right, bottom) in enumerate(parts["big"]):
        assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1] + 0.5
        for other in parts["big"][:number]:
            # One ends where the other begins, in one of the two directions.
            assert (
                min(right, other[2]) - max(left, other[0]) < 1
                or min(bottom, other[3]) - max(top, other[1]) < 1
            )
    left, top, right, bottom = parts["stage"]
    assert (right - left) * (bottom - top) > 0.35 * size[0] * size[1]
    for before, after in zip(parts["foot"], parts["foot"][1:], strict=False):
        assert before[2] <= after[0] and after[2] <= size[0]
    # The list can be had at every size, and lets go of the image when one is chosen.
    narrow = not page.page.locator(".list").is_visible()
    assert narrow == (size[0] <= 900)
    if narrow:
        page.page.click("[data-run=list]")
        page.open("scan_09.png")
        assert not page.page.locator(".list").is_visible()
    page.page.context.close()
    assert not problems


def test_downloads_are_files_and_say_what_they_hold(page: Page) -> None:
    page.open("scan_09.png")
    page.press("Shift+Delete")
    page.drag((30, 40), (120, 110))
    page.page.click("[popovertarget=export]")
    with page.page.expect_download() as download:
        page.page.click("[data-format=labelme]")
    assert download.value.suggested_filename == "labels_labelme.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        shapes = json.loads(archive.read("scan_09.json"))["shapes"]
    assert {shape["label"] for shape in shapes} == {"lesion"}
    page.until("return document.getElementById('notices').innerText.includes('labels_labelme.zip: ');")


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The accessibility checker's source, from the npm registry that this machine is set up for."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm, for axe-core")
    folder = tmp_path_factory.mktemp("axe")
    command = ["npm", "pack", "--silent", "axe-core@4"]
    got = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    if got.returncode:
        pytest.skip(f"axe-core can't be fetched: {got.stderr.strip()[-200:]}")
    (archive,) = folder.glob("*.tgz")
    shutil.unpack_archive(archive, folder)
    return (folder / "package/axe.min.js").read_text()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_no_serious_fault(page: Page, axe: str, theme: str) -> None:
    page.page.select_option("#set-theme", theme) if page.page.locator("#set-theme").is_visible() else page.js(
        "const s = await import('/static/settings.js'); s.set({ theme: given });", theme
    )
    page.open("scan_02.png")
    page.page.evaluate(axe)
    found = []
    for key in ("j", "?"):
        page.press(key)
        found += page.page.evaluate("axe.run().then((result) => result.violations)")
    bad = [
        f"{fault['id']}: {[node['target'] for node in fault['nodes']]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert not bad


def test_the_page_ships_whole() -> None:
    """All files lie where the wheel takes them from, and nothing that the page names is missing."""
    pyproject = (STATIC.parents[2] / "pyproject.toml").read_text()
    assert '"ultrasam.annotate" = ["static/*"]' in pyproject
    files = {path.name for path in STATIC.iterdir()}
    assert all(path.is_file() for path in STATIC.iterdir())
    named = re.findall(r'(?:href|src)="/static/([^"]+)"', (STATIC / "index.html").read_text())
    for path in STATIC.glob("*.js"):
        named += re.findall(r'from "\./([^"]+)"', path.read_text())
    assert set(named) <= files
    modules = {path.name for path in STATIC.glob("*.js")}
    # A module that is not asked for early is asked for late, one round trip after the other.
    preloaded = set(re.findall(r'modulepreload" href="/static/([^"]+)"', (STATIC / "index.html").read_text()))
    assert modules == preloaded | {"main.js"}


def test_no_markup_is_made_of_data_and_nothing_asks_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), (
            path.name
        )
        addresses = set(re.findall(r"https?://[^\s\"')]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not addresses, path.name
        assert len(text.splitlines()) < 300 or path.suffix == ".html", path.name
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script>", (STATIC / "index.html").read_text())
