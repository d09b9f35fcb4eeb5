"""The whole command on phantoms with a tiny model, and its numbers against other ways to the same ones."""

import json
import re
import shlex
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.kit.models import tiny
from ultrasam.cli.main import main
from ultrasam.data import coco
from ultrasam.data.images import write_image
from ultrasam.evaluate.baselines import ellipse_in_box
from ultrasam.evaluate.examine import examine
from ultrasam.evaluate.metrics import ClicksTo, border_distances, iou
from ultrasam.evaluate.protocol import Condition, Protocol
from ultrasam.evaluate.records import Record
from ultrasam.evaluate.results import Results
from ultrasam.evaluate.samples import read_samples
from ultrasam.evaluate.scores import score_group
from ultrasam.phantom import simulate
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.segmentation import Segmentation

SIZE = 72


def write_data(folder, name, count, seed, **fields):
    """Phantoms as a COCO file whose images alternate between the splits."""
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "object"}]}
    for number in range(count):
        phantom = simulate(seed, number, size=SIZE)
        image = phantom.image if phantom.image.ndim == 3 else np.repeat(phantom.image[..., None], 3, axis=2)
        write_image(folder / f"images/{name}/{number}.png", image)
        entry = {"id": number + 1, "file_name": f"{name}/{number}.png", "dataset": name}
        entry |= {"height": image.shape[0], "width": image.shape[1], "split": ("test", "train")[number % 2]}
        content["images"].append(entry | fields)
        for item in phantom.objects:
            y, x = np.nonzero(item.mask)
            box = [int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1]
            content["annotations"].append(
                {"id": len(content["annotations"]) + 1, "image_id": number + 1, "category_id": 1}
                | {"segmentation": coco.encode(item.mask), "bbox": box, "area": len(x), "iscrowd": 0}
            )
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder, "one", 4, 1, organ="neck", spacing=[0.5, 0.5])
    write_data(folder, "two", 4, 2, organ="neck")
    return folder


def evaluate(weights, data, out, *extra):
    files = [data / "one.json", data / "two.json"]
    args = ["evaluate", weights, *files, "--images", data / "images", "--out", out, "--device", "cpu", *extra]
    return main([str(arg) for arg in args])


@pytest.fixture(scope="module")
def report(tiny_weights, data, tmp_path_factory):
    """One evaluation with everything."""
    out = tmp_path_factory.mktemp("out") / "report"
    page = out.parent / "docs" / "results.md"
    asked = ["--split", "test", "--noise", "--degrade", "blur,lines", "--clicks", "3", "--page", page]
    assert evaluate(tiny_weights, data, out, *asked) == 0
    return out


def read(report):
    records = [
        json.loads(line)
        for path in sorted((report / "records").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return json.loads((report / "results.json").read_text()), records


def test_everything_is_asked_and_shown(report):
    results, records = read(report)
    assert len(records) == results["all"]["images"] == 4
    protocol = Protocol(clicks=3, noise=True, degradations=("blur", "lines"))
    names = [str(condition) for condition in protocol.conditions()]
    assert len(names) == len(set(names)) == 2 * 2 + 3 + 2 * 6 + 3 + 2 * 3 * 2
    assert [str(Condition.parse(name)) for name in names] == names
    assert all(sorted(record["answers"]) == sorted(names) for record in records)
    for part in (results["all"], *results["datasets"].values(), results["organs"]["neck"]):
        assert list(part["scores"]) == names and set(part["clicks"]) >= {"NoC85", "never90"}
        for scores in part["scores"].values():
            assert all(np.isfinite(value) for value in scores.values())
            assert 0 <= scores["mAP"] <= scores["mAP50"] <= 1 and 0 <= scores["mIoU"] <= scores["Dice"] <= 1
    assert "HD95_mm" in results["datasets"]["one"]["scores"]["box"]
    assert "HD95_mm" not in results["datasets"]["two"]["scores"]["box"]
    html = (report / "report.html").read_text()
    for words in ("Box prompts", "ellipse in the box", "Clicks", "Predicted IoU", "Inexact prompts", "<svg"):
        assert words in html
    assert html.count("data:image/jpeg;base64") >= results["all"]["images"] and "src='http" not in html
    assert "Not a medical device." in html
    page = report.parent / "docs" / "results.md"
    for link in [line for line in page.read_text().splitlines() if line.startswith("![")]:
        assert (page.parent / link.split("(")[1].rstrip(")")).read_text().startswith("<svg")
    assert str(report.parent) not in page.read_text()


def test_the_ellipse_scores_as_pycocotools_says(report, data, tmp_path):
    results, _ = read(report)
    truth = COCO(str(data / "one.json"))
    used = [image["id"] for image in truth.dataset["images"] if image["split"] == "test"]
    found, dice = [], []
    for annotation in truth.loadAnns(truth.getAnnIds(used)):
        x, y, w, h = annotation["bbox"]
        image = truth.imgs[annotation["image_id"]]
        ellipse = ellipse_in_box((x, y, x + w, y + h), (image["height"], image["width"]))
        true = truth.annToMask(annotation) > 0
        dice.append(2 * (ellipse & true).sum() / (ellipse.sum() + true.sum()))
        found.append(
            {"image_id": annotation["image_id"], "category_id": 1, "score": 1.0}
            | {"segmentation": coco.encode(ellipse)}
        )
    run = COCOeval(truth, truth.loadRes(found), "segm")
    run.params.imgIds = used
    run.evaluate(), run.accumulate(), run.summarize()
    scores = results["datasets"]["one"]["scores"]["ellipse"]
    assert [scores["mAP"], scores["mAP50"], scores["mAP75"]] == pytest.approx(run.stats[:3], abs=1e-9)
    assert scores["Dice"] == pytest.approx(np.mean(dice)) and 0.7 < scores["Dice"] < 1


def test_recorded_masks_give_the_recorded_numbers(report):
    _, records = read(report)
    for record in records:
        size = record["size"]
        for name, answer in record["answers"].items():
            for i, counts in enumerate(answer["masks"]):
                found, true = (
                    coco.decode({"size": size, "counts": c}, size, "") for c in (counts, record["truth"][i])
                )
                union = (found | true).sum()
                assert answer["iou"][i] == pytest.approx((found & true).sum() / union)
                distances = border_distances(found, true)
                expected = distances.hausdorff() if found.any() else np.hypot(*size)
                assert answer["hd95"][i] == pytest.approx(expected), name
                if record["dataset"] == "one":
                    assert answer["hd95_mm"][i] == pytest.approx(expected / 2)


def test_the_first_click_is_inside_and_all_are_kept(report):
    _, records = read(report)
    for record in records:
        for clicks, counts in zip(record["clicks"], record["truth"], strict=True):
            true = coco.decode({"size": record["size"], "counts": counts}, record["size"], "")
            assert 1 <= len(clicks) <= 3 and clicks[0][2] == 1
            # What a label says is true of the place.
            assert all(true[int(y), int(x)] == label for x, y, label in clicks)


def test_started_again_it_goes_on_and_other_questions_start_anew(tiny_weights, data, tmp_path, capfd):
    quick = ["--prompts", "box", "--no-baselines"]
    assert evaluate(tiny_weights, data, tmp_path / "out", *quick, "--limit", "1") == 0
    first = (tmp_path / "out/results.json").read_text()
    file = tmp_path / "out/records/two.jsonl"
    # Killed while writing: the last line is cut off.
    file.write_text(file.read_text()[:-30])
    capfd.readouterr()
    assert evaluate(tiny_weights, data, tmp_path / "out", *quick, "--limit", "1") == 0
    assert "1 of 2 images were done before" in capfd.readouterr().out
    again = json.loads((tmp_path / "out/results.json").read_text())
    for results in (first := json.loads(first), again):
        for part in (results["all"], results["organs"]["neck"], *results["datasets"].values()):
            del part["seconds"]
    assert again == first
    assert evaluate(tiny_weights, data, tmp_path / "out", "--prompts", "point", "--limit", "1") == 0
    assert "done before" not in capfd.readouterr().out


@pytest.mark.slow
def test_workers_and_other_images_change_nothing(tiny_weights, data, tmp_path):
    asked = ["--prompts", "box", "--no-baselines", "--degrade", "speckle"]
    assert evaluate(tiny_weights, data, tmp_path / "a", *asked) == 0
    assert evaluate(tiny_weights, data, tmp_path / "b", *asked, "--workers", "2", "--split", "test") == 0
    everything = {record["name"]: record for record in read(tmp_path / "a")[1]}
    some = read(tmp_path / "b")[1]
    assert len(some) == 4
    for record in some:
        other = everything[record["name"]]
        assert record["answers"] == other["answers"]


class Knowing(Predictor):
    """Answers with given masks, whatever is asked: how the protocol judges an answer is what is tested."""

    answers: list[np.ndarray]

    def segment(self, objects, *, multimask=False):
        masks = np.stack([self.answers[i] for i in range(len(objects))])
        logits = torch.zeros(len(objects), 16, 16)
        scores = np.full(len(objects), 0.9, np.float32)
        found = Segmentation(logits, scores, masks.shape[1:], [], objects)
        found.masks = masks
        return found


def test_perfect_and_empty_answers(data, tiny_weights):
    samples, _ = read_samples({data / "one.json": data / "images"}, limit=1)
    truth = samples[0].item.masks()
    predictor, protocol = Knowing(tiny_weights, device="cpu"), Protocol(clicks=4)
    predictor.answers = truth
    record = examine(samples[0], predictor, protocol)
    # Nothing is left to correct after the first click.
    assert [len(clicks) for clicks in record.clicks] == [1] * len(truth)
    group = score_group([record], protocol)
    for name in ("box", "point", "click1", "click4"):
        scores = group.scores[Condition(name)]
        assert scores.map == scores.dice == scores.boundary_f == pytest.approx(1) and scores.hd95 == 0
    assert group.clicks == {85: ClicksTo(1, 0), 90: ClicksTo(1, 0)}
    assert group.calibration["box"].error == pytest.approx(0.1)
    predictor.answers = [np.zeros_like(mask) for mask in truth]
    record = examine(samples[0], predictor, protocol)
    assert [len(clicks) for clicks in record.clicks] == [4] * len(truth)
    group = score_group([record], protocol)
    scores = group.scores[Condition("box")]
    assert scores.map == scores.dice == 0 and scores.empty == len(truth)
    assert scores.hd95 == pytest.approx(np.hypot(*samples[0].item.size))
    assert group.clicks[85].mean == 4 and group.clicks[90].never == 1


EARLIER = Path(__file__).parent / "earlier"


def test_evaluations_of_version_0_1_still_load(tiny_weights, data, tmp_path):
    text = (EARLIER / "results.json").read_text()
    results, content = Results.read(EARLIER), json.loads(text)
    results.write(tmp_path)
    assert (tmp_path / "results.json").read_text() == text
    assert (
        results.overall.scores[Condition("ellipse", "loose", 0.05)].mean_iou
        == (content["all"]["scores"]["ellipse@loose=0.05"]["mIoU"])
    )
    assert results.datasets["phantom"].clicks[85].mean == content["all"]["clicks"]["NoC85"]
    # An answer's numbers again from the masks that were recorded.
    line = json.loads((EARLIER / "phantom.jsonl").read_text())
    record = Record.from_json(line)
    assert record.to_json() == line
    answer = record.answers[Condition("box", "shift", 0.1)]
    pair = [coco.decode(masks[0], record.size, "") for masks in (answer.masks, record.targets)]
    assert answer.iou[0] == iou(*pair) == line["answers"]["box@shift=0.1"]["iou"][0]
    assert answer.hd95_mm[0] == border_distances(*pair, record.spacing).hausdorff()
    again, kept = score_group([record], results.protocol, "neck"), results.datasets["phantom"]
    assert (again.scores, again.clicks, again.organ) == (kept.scores, kept.clicks, kept.organ)
    assert again.calibration["box"].bins == kept.calibration["box"].bins
    # Beside a new one.
    asked = ["--prompts", "box", "--limit", "1", "--compare", EARLIER]
    assert evaluate(tiny_weights, data, tmp_path / "out", *asked) == 0
    assert "| data set | an earlier one | tiny.pth |" in (tmp_path / "out/results.md").read_text()


def test_results_of_something_else_are_named(tiny_weights, data, tmp_path, capsys):
    (tmp_path / "results.json").write_text('{"datasets": {}}')
    assert evaluate(tiny_weights, data, tmp_path / "out", "--compare", tmp_path) == 2
    assert "holds no results of 'ultrasam evaluate'" in capsys.readouterr().err


def test_side_by_side(tiny_weights, data, report, tmp_path):
    asked = ["--prompts", "box", "--limit", "1", "--title", "second", "--compare", report]
    assert evaluate(tiny_weights, data, tmp_path / "out", *asked) == 0
    text = (tmp_path / "out/results.md").read_text()
    assert "| data set | tiny.pth | second |" in text
    assert "Beside others" in (tmp_path / "out/report.html").read_text()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--split", "val"], "no image of the split 'val'"),
        (["--prompts", "scribble"], "unknown prompt 'scribble'; there are box, point, clicks"),
        (["--prompts", ","], "no prompts"),
        (["--degrade", "fog"], "unknown degradation 'fog'"),
        (["--limit", "0"], "--limit takes"),
        (["--clicks", "0"], "one click or more"),
        (["--workers", "0"], "--workers takes"),
        (["--predictor", "zoom=2"], "no option 'zoom'; it has engine"),
        (["--compare", "nowhere"], "no results of an evaluation"),
    ],
)
def test_bad_arguments_are_named(tiny_weights, data, tmp_path, capsys, extra, words):
    assert evaluate(tiny_weights, data, tmp_path / "out", *extra) == 2
    message = capsys.readouterr().err
    assert words in message and len(message.splitlines()) == 1


def changed(data, tmp_path, change):
    content = json.loads((data / "one.json").read_text())
    change(content)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["images"][0].update(file_name="gone.png"), "1 of 4 images are missing"),
        (lambda c: c.update(annotations=[]), "no annotated object"),
        (lambda c: [i.pop("split") for i in c["images"]], "have no field 'split'"),
        (lambda c: c["images"][0].update(spacing=[0, 1]), "two positive numbers"),
        (lambda c: c["images"][0].update(spacing="fine"), "in mm a pixel"),
        (lambda c: c["annotations"][0].update(bbox=[float("nan"), 1, 2, 3]), "no valid bbox"),
        (lambda c: c["annotations"][0]["segmentation"].update(size=[9, 9]), "malformed mask"),
    ],
)
def test_bad_files_are_named(tiny_weights, data, tmp_path, capsys, change, words):
    path = changed(data, tmp_path, change)
    asked = ["--split", "test"] if "split" in words else []
    command = ["evaluate", tiny_weights, path, "--images", data / "images", "--out", tmp_path / "o", *asked]
    assert main([str(part) for part in command]) == 2
    message = capsys.readouterr().err
    assert words in message and len(message.splitlines()) <= 2


def test_an_image_of_another_size_and_one_in_two_files(tiny_weights, data, tmp_path, capsys):
    def smaller(content):
        content["images"][0]["height"] -= 1
        for annotation in content["annotations"]:
            if annotation["image_id"] == 1:
                mask = coco.decode(annotation["segmentation"], [SIZE, SIZE], "")
                annotation["segmentation"] = coco.encode(mask[:-1])

    path = changed(data, tmp_path, smaller)
    base = ["--images", data / "images", "--out", tmp_path / "out", "--prompts", "box"]
    assert main([str(part) for part in ["evaluate", tiny_weights, path, *base]]) == 2
    assert "its COCO file says" in capsys.readouterr().err
    assert main([str(part) for part in ["evaluate", tiny_weights, data / "one.json", path, *base]]) == 2
    assert "which another of the files lists too" in capsys.readouterr().err


def test_weights_whose_answers_overflow_are_named(data, tmp_path, capsys):
    model = tiny()
    with torch.no_grad():
        model.mask_decoder.iou_token.weight.fill_(1e38)
    torch.save(model.state_dict(), tmp_path / "broken.pth")
    assert evaluate(str(tmp_path / "broken.pth"), data, tmp_path / "out", "--limit", "1") == 2
    assert "is not a number" in capsys.readouterr().err


def test_converted_sets_each_with_its_own_folder_and_the_same_file_names(
    tiny_weights, tmp_path, monkeypatch, capfd
):
    """As `ultrasam convert` lays them out; and the command of the report runs again."""
    for name, seed in (("one", 1), ("two", 2)):
        home = tmp_path / "data" / name
        content = json.loads(write_data(tmp_path / "made", name, 2, seed).read_text())
        (home / "annotations").mkdir(parents=True)
        (tmp_path / "made/images" / name).rename(home / "images")
        for image in content["images"]:
            image["file_name"] = image["file_name"].split("/")[1]
        (home / "annotations/test.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    files = ["data/one/annotations/test.json", "data/two/annotations/test.json"]
    asked = ["--prompts", "box", "--seed", "3", "--organ", "one=neck", "--title", "a 'fine' title"]
    where = ["--out", "report", "--page", "docs/page.md", "--device", "cpu"]
    weights = str(tiny_weights)
    assert main(["evaluate", weights, *files, *asked, *where]) == 0
    results, records = read(tmp_path / "report")
    assert set(results["datasets"]) == {"one", "two"} and len(records) == 4
    assert len({record["name"] for record in records}) == 2
    capfd.readouterr()
    for page in ("report/results.md", "docs/page.md"):
        (command,) = re.findall(r"Made with\n\n```[a-z]*\n(.*)\n```", (tmp_path / page).read_text())
        words = shlex.split(command)
        assert words[:2] == ["ultrasam", "evaluate"] and words[3:5] == files
        if page == "report/results.md":
            assert main(words[1:]) == 0
            assert "4 of 4 images were done before" in capfd.readouterr().out
            again, _ = read(tmp_path / "report")
            assert again == results
    assert str(tmp_path) not in (tmp_path / "docs/page.md").read_text()
    assert main(["evaluate", weights, files[0], files[0], "--out", "report"]) == 2
    assert "named twice" in capfd.readouterr().err


def test_pairs_of_two_scanners(tiny_weights, data, tmp_path, capsys):
    """Equal partners agree wholly; darker, smaller ones are asked the same, and Dice is counted by hand."""
    weights, partners = str(tiny_weights), tmp_path / "partners"
    shutil.copytree(data / "images/one", partners / "one")
    asked = ["--prompts", "box,point", "--no-baselines", "--device", "cpu", "--limit", "2"]
    base = ["evaluate", weights, str(data / "one.json"), "--images", str(data / "images"), *asked]
    same = tmp_path / "same"
    assert main([*base, "--out", str(same), "--pairs", str(partners)]) == 0
    content = json.loads((same / "pairs.json").read_text())
    for part in content.values():
        assert part["between"] == [1.0] * len(part["between"]) and part["images"] == part["partners"]
    assert "| box |" in (same / "pairs.md").read_text()
    for path in (partners / "one").glob("*.png"):
        image = cv2.imread(str(path))
        cv2.imwrite(str(path), cv2.resize(image // 3, (SIZE // 2, SIZE // 2), interpolation=cv2.INTER_AREA))
    other = tmp_path / "other"
    assert main([*base, "--out", str(other), "--pairs", str(partners)]) == 0
    content = json.loads((other / "pairs.json").read_text())
    _, records = read(other)
    lines = (other / "pairs/records/one.jsonl").read_text().splitlines()
    theirs = [json.loads(line) for line in lines]
    expected = []
    for one, two in zip(records, theirs, strict=True):
        assert one["boxes"] == two["boxes"] and one["name"] == two["name"]
        for left, right in zip(one["answers"]["box"]["masks"], two["answers"]["box"]["masks"], strict=True):
            masks = [coco.decode({"size": one["size"], "counts": c}, one["size"], "") for c in (left, right)]
            total = masks[0].sum() + masks[1].sum()
            expected.append(2 * (masks[0] & masks[1]).sum() / total if total else 1.0)
    assert content["box"]["between"] == pytest.approx(expected, abs=1e-12)
    (partners / "one/0.png").unlink()
    assert main([*base, "--out", str(other), "--pairs", str(partners)]) == 2
    assert "1 of 2 images have no partner" in capsys.readouterr().err
    write_image(partners / "one/0.png", np.zeros((SIZE, SIZE // 2, 3), np.uint8))
    assert main([*base, "--out", str(tmp_path / "third"), "--pairs", str(partners)]) == 2
    assert "another cut-out" in capsys.readouterr().err
