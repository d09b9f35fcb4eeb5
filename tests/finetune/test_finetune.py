"""Fine-tuning from start to end on phantoms of 64 pixels, and what it refuses."""

import html
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import ultrasam
from ultrasam import checkpoints
from ultrasam.cli.main import main
from ultrasam.data import coco
from ultrasam.data.split import load_split
from ultrasam.evaluate.coco_map import evaluate
from ultrasam.evaluate.prompting import score_images
from ultrasam.finetune.batches import draw_batch
from ultrasam.finetune.finetune import _remedies
from ultrasam.finetune.training import Recipe
from ultrasam.modeling.build import build_ultrasam, build_variant
from ultrasam.modeling.tiny_vit import TinyVariant
from ultrasam.predict.predictor import Predictor
from ultrasam.types import ModelUsage

SIZE = 64


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twelve subjects with two images each."""
    from ultrasam.data.phantoms import write_phantoms

    folder = tmp_path_factory.mktemp("data")
    write_phantoms(folder, 24, size=SIZE)
    content = json.loads((folder / "phantom/annotations/all.json").read_text())
    for number, image in enumerate(content["images"]):
        image["subject"] = f"p{number // 2}"
        image.pop("split", None)
    (folder / "mine.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("start") / "start.pth"
    torch.save(build_ultrasam("vit_t", img_size=SIZE).state_dict(), path)
    return path


def command(data, start, out, *extra):
    files = [str(data / "mine.json"), "--images", str(data / "phantom/images"), "--from", str(start)]
    return ["finetune", *files, "--out", str(out), "--device", "cpu", *extra]


@pytest.fixture(scope="module")
def finished(data, start, tmp_path_factory):
    out = tmp_path_factory.mktemp("full")
    assert main(command(data, start, out, "--mode", "full", "--lr", "1e-3", "--steps", "24")) == 0
    return out


def test_it_learns_and_all_of_it_is_shown(finished, data):
    losses = torch.load(finished / "state.pth")["losses"]
    assert len(losses) == 24 and np.mean(losses[-6:]) < 0.6 * np.mean(losses[:3])
    scores = json.loads((finished / "scores.json").read_text())
    assert scores["after"]["box"] != scores["before"]["box"] and scores["baseline"]["box"]["Dice"] > 0.5
    page = (finished / "index.html").read_text()
    for word in ("box prompt, before", "point prompt, after", "ellipse in the box", "<svg"):
        assert word in page
    held_out = json.loads((finished / "held_out.json").read_text())
    assert len(list((finished / "shown_box").glob("*.png"))) == min(len(held_out["images"]), 12)
    # What the table says is what the file gives.
    items = coco.load(finished / "held_out.json", data / "phantom/images").images
    again = evaluate(score_images(Predictor(finished / "model.pth", device="cpu"), items)["box"])
    assert again == scores["after"]["box"]


def test_the_file_is_a_checkpoint_like_any_other(finished, data, tmp_path):
    image = sorted((data / "phantom/images").glob("*.png"))[0]
    arguments = [
        "--checkpoint",
        str(finished / "model.pth"),
        "--box",
        "9,9,40,40",
        "--out",
        str(tmp_path / "p"),
    ]
    assert main(["predict", str(image), *arguments, "--device", "cpu"]) == 0
    assert json.loads((tmp_path / "p/predictions.json").read_text())["annotations"]
    checkpoints.convert(finished / "model.pth", tmp_path / "hf", "transformers")
    ours, theirs = (ultrasam.load(p).state_dict() for p in (finished / "model.pth", tmp_path / "hf"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_small_is_tested_as_it_is_used_and_stays_so(data, tmp_path):
    """A step that changes nothing loses nothing: before, after, and whoever loads the result look closer."""
    extra = ["--mode", "decoder", "--steps", "1", "--lr", "1e-12", "--batch-size", "1"]
    assert main(command(data, "small", tmp_path, *extra)) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["before"] == scores["after"]
    tuned, plain = Predictor(tmp_path / "model.pth", device="cpu"), Predictor("small", closer=False)
    assert tuned.closer is True and '"closer": true' in html.unescape((tmp_path / "index.html").read_text())
    items = coco.load(tmp_path / "held_out.json", data / "phantom/images").images
    assert evaluate(score_images(tuned, items)["box"]) == scores["after"]["box"]
    assert evaluate(score_images(Predictor("small", device="cpu"), items)["box"]) == scores["before"]["box"]
    assert evaluate(score_images(plain, items)["box"]) != scores["before"]["box"]


def test_a_tiny_vit_is_tuned_whole(data, tmp_path, monkeypatch):
    """With targets as fine as its masks, images from 0 to 1, and the statistics of its norms as they were."""
    monkeypatch.setattr("ultrasam.finetune.finetune.keeps_tuned", lambda before, after: True)
    spec = TinyVariant((16, 16, 16, 16), (1, 1, 1, 1), (2, 2, 2, 2), img_size=64, patch_size=4)
    model = build_variant(spec)
    model.usage = ModelUsage(single=True, normalization="minmax", img_size=64)
    checkpoints.save(model.state_dict(), tmp_path / "start.pth")
    extra = ["--mode", "full", "--steps", "1", "--batch-size", "1"]
    assert main(command(data, tmp_path / "start.pth", tmp_path / "out", *extra)) == 0
    tuned = ultrasam.load(tmp_path / "out/model.pth")
    assert tuned.usage == model.usage
    before, after = model.state_dict(), tuned.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(n.startswith("image_encoder.") for n in changed) and not any("running" in n for n in changed)


def test_worse_weights_are_not_kept(data, start, tmp_path, monkeypatch, capsys):
    """The file is then the start's, of its architecture, also where the tuned one had parts of its own."""
    monkeypatch.setattr("ultrasam.finetune.finetune.keeps_tuned", lambda before, after: False)
    assert main(command(data, start, tmp_path, "--mode", "adapter", "--steps", "1", "--batch-size", "1")) == 0
    before, after = checkpoints.read(start), checkpoints.read(tmp_path / "model.pth")
    assert before.keys() == after.keys() and all(torch.equal(v, after[n]) for n, v in before.items())
    assert "the weights that it started from" in capsys.readouterr().out
    assert "the weights that it started from" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("mode", ["decoder", "lora", "adapter"])
def test_what_is_frozen_stays(mode, data, start, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ultrasam.finetune.finetune.keeps_tuned", lambda before, after: True)
    assert main(command(data, start, tmp_path, "--mode", mode, "--steps", "6", "--batch-size", "2")) == 0
    before, after = checkpoints.read(start), checkpoints.read(tmp_path / "model.pth")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    new = after.keys() - before.keys()
    encoder = {name for name in changed if name.startswith("image_encoder.")}
    assert changed - encoder and all(name.startswith("mask_decoder.") for name in changed - encoder)
    printed = capsys.readouterr().out
    if mode == "lora":
        assert not new and all(name.endswith("attn.qkv.weight") for name in encoder) and len(encoder) == 8
        width = before["image_encoder.pos_embed"].shape[-1]
        key = before["image_encoder.blocks.0.attn.qkv.weight"][width : 2 * width]
        assert torch.equal(after["image_encoder.blocks.0.attn.qkv.weight"][width : 2 * width], key)
        assert "LoRA of 8 layers is merged" in printed
    else:
        assert not encoder and all("_adapter." in name for name in new) and bool(new) == (mode == "adapter")
    decoder = sum(
        p.numel() for n, p in ultrasam.load(start).named_parameters() if n.startswith("mask_decoder")
    )
    extra = {"decoder": 0, "lora": 8 * 4 * 16 * 192, "adapter": 8 * 2 * (2 * 192 * 48 + 192 + 48)}[mode]
    assert f"mode {mode}: {decoder + extra:,} of" in printed
    assert not (tmp_path / "embeddings").exists()


def test_a_batch_follows_from_seed_and_step(data):
    items = coco.load(data / "mine.json", data / "phantom/images").images
    one, again = (draw_batch(items, SIZE, 3, 4, 2, seed=1) for _ in range(2))
    other = draw_batch(items, SIZE, 3, 4, 2, seed=2)
    assert torch.equal(one.targets, again.targets) and torch.equal(one.prompts.points, again.prompts.points)
    assert one.prompts.points.shape != other.prompts.points.shape or not torch.equal(
        one.prompts.points, other.prompts.points
    )
    # Each pass shows every image once, and a mirrored image has mirrored masks and prompts.
    seen = [draw_batch(items, SIZE, step, 4, 1, seed=0) for step in range(6)]
    total = sum(len(image.annotations) for image in items)
    assert sum(len(batch.targets) for batch in seen) == total
    for batch in seen:
        for row in range(len(batch.targets)):
            if batch.prompts.labels[row, 0] == 1:
                x, y = (batch.prompts.points[row, 0] / 4).int().tolist()
                near = batch.targets[row, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
                assert near.any()


def test_who_looks_closer_trains_on_regions_too(tmp_path):
    """Two discs far apart: cut out, one fills half to nine tenths of the region, which shows no other."""
    y, x = np.mgrid[:200, :300]
    discs = [(x - cx) ** 2 + (y - 100) ** 2 < 900 for cx in (60, 240)]
    cv2.imwrite(str(tmp_path / "discs.png"), (80 + 90 * (discs[0] | discs[1])).astype(np.uint8))
    annotations = [
        {"id": n, "image_id": 1, "category_id": 1, "segmentation": coco.encode(mask), "iscrowd": 0}
        | {"bbox": [30 + 180 * n, 71, 59, 59], "area": int(mask.sum())}
        for n, mask in enumerate(discs)
    ]
    item = coco.CocoImage(1, tmp_path / "discs.png", (200, 300), "", annotations)
    kinds = {False: 0, True: 0}
    for step in range(20):
        batch = draw_batch([item], 128, step, 1, 1, seed=0, closer=True)
        cut = batch.images[0].shape[:2] != (200, 300)
        kinds[cut] += 1
        assert len(batch.targets) == (1 if cut else 2)
        side = batch.targets[0].any(dim=0).sum().item() / 32
        assert (0.45 <= side <= 0.95) if cut else side < 0.3, (cut, side, batch.images[0].shape)
        if batch.prompts.labels[0, 0] == 1:
            column, row = (batch.prompts.points[0, 0] / 4).int().tolist()
            assert batch.targets[0, row - 1 : row + 2, column - 1 : column + 2].any()
    assert min(kinds.values()) >= 2
    whole = [draw_batch([item], 128, step, 1, 1, seed=0).images[0].shape[:2] for step in range(5)]
    assert set(whole) == {(200, 300)}


def _one_image(content):
    content["images"] = content["images"][:1]
    content["annotations"] = [
        a for a in content["annotations"] if a["image_id"] == content["images"][0]["id"]
    ]


def _no_masks(content):
    content["annotations"] = []


def _wrong_size(content):
    for image in content["images"]:
        image["width"] += 8
    for annotation in content["annotations"]:
        annotation.update(segmentation=[[8, 8, 30, 8, 30, 30]], bbox=[8, 8, 22, 22])


@pytest.mark.parametrize(
    ("change", "extra", "words"),
    [
        (_one_image, [], "a single subject"),
        (_no_masks, [], "no annotated object"),
        (_wrong_size, [], "its COCO file says"),
        (None, ["--categories", "lesion"], "no category lesion; it has"),
        (None, ["--images", "elsewhere"], "images are missing"),
        (None, ["--from", "nothing.pth"], "no weight file at nothing.pth"),
        (None, ["--steps", "0"], "must be positive"),
        (None, ["--img-size", "100"], "not a multiple of 16"),
        (None, ["--device", "cuda:99"], "is not at hand"),
        (None, ["--lr", "1e30", "--mode", "decoder"], "lower --lr"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(data, start, tmp_path, capsys, change, extra, words):
    content = json.loads((data / "mine.json").read_text())
    if change:
        change(content)
    (tmp_path / "mine.json").write_text(json.dumps(content))
    (tmp_path / "phantom").symlink_to(data / "phantom")
    arguments = command(tmp_path, start, tmp_path / "out", "--steps", "12", "--batch-size", "1", *extra)
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["encoder", "other"])
def test_weights_of_another_kind(data, start, tmp_path, capsys, kind):
    if kind == "encoder":
        checkpoints.convert(start, tmp_path / "w.pth", "timm")
    else:
        torch.save({"fc.weight": torch.zeros(3, 3)}, tmp_path / "w.pth")
    assert main(command(data, tmp_path / "w.pth", tmp_path / "out")) == 2
    assert ("image encoder alone" if kind == "encoder" else "not the weights of") in capsys.readouterr().err


def test_memory_that_does_not_suffice_says_what_is_not_done_yet():
    assert "; ".join(filter(None, _remedies(Recipe("full", 10, 4, 1e-4)))) == (
        "a smaller --batch-size than 4; --mode decoder; --checkpointing; --amp; a smaller --img-size"
    )
    spare = Recipe("decoder", 10, 1, 1e-4, amp=True)
    assert list(filter(None, _remedies(spare))) == ["a smaller --img-size"]


CORPUS = Path(__file__).parents[3] / "shared/corpus"


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not CORPUS.is_dir(), reason="no real images at hand")
def test_real_images_are_split_and_drawn(tmp_path):
    """The twin on phantoms is above: every part of a real file is read."""
    source = CORPUS / "annotations/breast_usg.json"
    found = load_split(source, CORPUS / "images", {"test": 0.2}, categories=["malignant"])
    batch = draw_batch(found.sides["train"], 256, 0, 4, 2, seed=0)
    assert batch.targets.shape[1:] == (64, 64) and batch.targets.float().mean(dim=(1, 2)).min() > 0
    assert np.isfinite(batch.prompts.boxes[batch.prompts.labels[:, 0] == -1]).all()
