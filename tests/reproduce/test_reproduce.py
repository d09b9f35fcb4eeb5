"""The tables as commands: rows, what they miss, and one row of each table from start to end on phantoms."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

pytest.importorskip("mmdet", reason="the extra 'mm' (OpenMMLab) is not installed")
from tests.kit.miniature import SIZE
from tests.kit.peer import SMALL, pair
from ultrasam.cli.main import main
from ultrasam.data import coco
from ultrasam.data.images import read_image
from ultrasam.evaluate.coco_map import evaluate
from ultrasam.modeling.build import build_ultrasam
from ultrasam.reproduce.native import test_medsam as run_medsam
from ultrasam.reproduce.native import test_sam as run_sam
from ultrasam.reproduce.reproduce import Outcome, Settings
from ultrasam.reproduce.reproduce_page import write_report
from ultrasam.reproduce.rows import all_rows

#: Layers of Mask2Former that only cost time here.
SHALLOW = [
    "model.train_cfg.num_points=64",
    "model.panoptic_head.num_queries=10",
    "model.panoptic_head.transformer_decoder.num_layers=1",
    "model.panoptic_head.pixel_decoder.encoder.num_layers=1",
]
CLASSES = ("breast_nodule_benign", "breast_nodule_malignant")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Phantoms where the converter of BUS-BRA would write, under its classes."""
    from ultrasam.data.phantoms import write_phantoms

    folder = tmp_path_factory.mktemp("data")
    write_phantoms(folder, 20, size=SIZE)
    (folder / "phantom").rename(folder / "bus_bra")
    for path in (folder / "bus_bra/annotations").glob("*.json"):
        if "agnostic" not in path.name:
            content = json.loads(path.read_text())
            content["categories"] = [{"id": n + 1, "name": name} for n, name in enumerate(CLASSES)]
            for annotation in content["annotations"]:
                annotation["category_id"] = 1 + annotation["category_id"] % 2
            path.write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "stand_in.pth"
    torch.save(build_ultrasam("vit_t", img_size=SIZE).state_dict(), path)
    return path


def test_rows_are_those_of_the_paper():
    rows = {row.id: row for row in all_rows()}
    assert [sum(row.table == t for row in rows.values()) for t in (1, 2, 3)] == [24, 12, 12]
    assert rows["ultrasam-box-mmotu_2d"].expected == {"segm_mAP": 79.5, "segm_mAP_50": 100.0}
    assert rows["ultrasam-zero-shot-point-gist514_db"].expected["segm_mAP"] == 9.3
    assert rows["medsam-class-bus_bra"].expected == {"precision": 84.9, "recall": 82.9, "f1": 83.8}
    assert list(rows["resnet50-mask2former-gist514_db"].expected.values()) == [36.2, 56.8, 37.3, 60.5]
    # SAM and MedSAM as published (with the released decoder) and native; MedSAM takes boxes alone.
    assert rows["sam-point-bus_bra"].runs["official"].fold_residual
    assert rows["sam-box-bus_bra"].runs["measured"].note == "native"
    assert "measured" not in rows["medsam-point-bus_bra"].runs
    assert not rows["ultrasam-box-bus_bra"].runs["official"].fold_residual


@pytest.mark.slow
def test_every_row_builds_its_models_and_lists_what_it_misses(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ULTRASAM_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "--check", "--data-root", "nowhere", "--out", str(tmp_path / "out")]) == 2
    blocks = capsys.readouterr().out.split("missing:")[1:]
    rows = all_rows()
    assert len(blocks) == len(rows) == 48
    for row, block in zip(rows, blocks, strict=True):
        assert "nowhere/" in block and "test" in block
        assert ("train.json" in block) == (row.table > 1)
        hint = "ultrasam train zero_shot/" if row.zero_shot_config else "ultrasam weights fetch"
        assert hint in block
        for column in row.runs:
            assert f"{column} " in block.split("[")[-1]
    text = (tmp_path / "out/report.md").read_text()
    assert "## Not run: 48" in text and "| sam-box-bus_bra | segm_mAP | 68.1 | not run" in text
    assert "ultrasam convert bus_bra" in (tmp_path / "out/report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "options"),
    [
        ("sam-box-bus_bra", []),
        ("ultrasam-class-bus_bra", ["train_dataloader.batch_size=2"]),
        ("ultrasam-mask2former-bus_bra", ["train_dataloader.batch_size=1", *SHALLOW]),
    ],
)
def test_a_row_of_each_table_from_start_to_end(row, options, root, weights, tmp_path, capfd):
    few = ["train_cfg.max_iters=1", "train_cfg.val_interval=9", "test_dataloader.num_workers=0"]
    few += ["train_dataloader.num_workers=0", *options]
    arguments = ["reproduce", "--row", row, "--data-root", str(root), "--checkpoint", str(weights)]
    arguments += ["--out", str(tmp_path), "--cfg-options", *few]
    assert main(arguments) == 0
    printed = capfd.readouterr().out
    chosen = next(r for r in all_rows() if r.id == row)
    report = (tmp_path / "report.md").read_text()
    assert "## Not run: 0" in report and f"stand-in weights {weights}" in report
    for column, run in chosen.runs.items():
        assert f"== {row}, {column}: {run.config or 'native'}" in printed
        kept = json.loads((tmp_path / row / column / "result.json").read_text())
        assert kept["numbers"].keys() == chosen.expected.keys()
        for name, value in kept["numbers"].items():
            assert 0 <= value <= 100 and value == pytest.approx(100 * kept["scores"][name])
            assert f"{value:.1f}" in report
    # What was run is not run again.
    assert main(arguments) == 0
    assert "==" not in capfd.readouterr().out


@torch.no_grad()
def test_native_modes_are_their_authors(root, tmp_path):
    """segment-anything's predictor, and MedSAM's few lines of inference on segment-anything's network."""
    from segment_anything import SamPredictor

    theirs, ours = pair()
    torch.save(ours.state_dict(), tmp_path / "w.pth")
    folder = root / "bus_bra"
    items = coco.load(folder / "annotations/test.agnostic.json", folder / "images").images[:2]
    boxed, pointed = (run_sam(tmp_path / "w.pth", items, kind) for kind in ("box", "point"))
    squared = run_medsam(tmp_path / "w.pth", items, "box")
    predictor, size = SamPredictor(theirs), SMALL.img_size
    for number, item in enumerate(items):
        image = read_image(item.path)
        predictor.set_image(image)
        for i, (box, mask) in enumerate(zip(item.boxes(), item.masks(), strict=True)):
            expected = predictor.predict(box=box, multimask_output=False)[0][0]
            found = coco.decode(boxed[number].predictions[i], item.size, "")
            assert (found != expected).mean() < 1e-3
            middle = np.argwhere(mask)[:, ::-1].mean(axis=0)
            masks, scores, _ = predictor.predict(middle[None], np.ones(1), multimask_output=True)
            if mask[tuple(np.round(middle[::-1]).astype(int))]:
                found = coco.decode(pointed[number].predictions[i], item.size, "")
                assert (found != masks[scores.argmax()]).mean() < 1e-3

            pixels = F.interpolate(
                torch.from_numpy(image).permute(2, 0, 1)[None].float(), (size, size), mode="bicubic"
            ).clamp(0, 255)
            pixels = (pixels.round() - pixels.round().min()) / (pixels.round().max() - pixels.round().min())
            height, width = item.size
            scaled = torch.tensor(box / [width, height, width, height] * size).float()[None]
            sparse, dense = theirs.prompt_encoder(points=None, boxes=scaled, masks=None)
            low, _ = theirs.mask_decoder(
                image_embeddings=theirs.image_encoder(pixels),
                image_pe=theirs.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
            expected = F.interpolate(low.sigmoid(), item.size, mode="bilinear")[0, 0].numpy() > 0.5
            found = coco.decode(squared[number].predictions[i], item.size, "")
            assert (found != expected).mean() < 0.02
    assert 0 <= evaluate(squared)["Dice"] <= 1


def test_verdicts_and_the_report(tmp_path):
    row = next(row for row in all_rows() if row.id == "ultrasam-box-bus_bra")
    near, far = {"segm_mAP": 78.3, "segm_mAP_50": 98.4}, {"segm_mAP": 77.9, "segm_mAP_50": 99.0}
    assert Outcome(row, {"official": near, "measured": far}, {}).verdict == "within"
    assert Outcome(row, {"official": far, "measured": near}, {}).verdict == "outside"
    none = Outcome(row, {}, {}, "missing:\n  UltraSam.pth")
    assert none.verdict == "not run"
    write_report([Outcome(row, {"official": near, "measured": far}, {}), none], Settings(out=tmp_path))
    text = (tmp_path / "report.md").read_text()
    assert "| ultrasam-box-bus_bra | segm_mAP | 79.1 | 78.3 | 77.9 | 1.0 | within |" in text
    assert "| ultrasam-box-bus_bra | segm_mAP | 79.1 | not run | not run | 1.0 | not run |" in text
    assert "UltraSam.pth" in (tmp_path / "report.html").read_text()


def test_ids_of_earlier_versions(capsys):
    for old, new in (
        ("sam-box-busbra", "sam-box-bus_bra"),
        ("ultrasam-zero-shot-point-gist514", "ultrasam-zero-shot-point-gist514_db"),
        ("resnet50-class-mmotu2d", "resnet50-class-mmotu_2d"),
    ):
        with pytest.warns(FutureWarning, match=f"row {old} is now {new}"):
            assert main(["reproduce", "--list", "--row", old]) == 0
        assert new in capsys.readouterr().out


def test_refusals(tmp_path, capsys):
    for arguments, words in (
        (["--row", "usfm-box-bus_bra"], "no row usfm-box-bus_bra"),
        (["--table", "2", "--row", "sam-box-bus_bra"], "no row sam-box-bus_bra"),
        (["--row", "sam-box-bus_bra", "--checkpoint", "nothing.pth"], "no weight file at nothing.pth"),
    ):
        assert main(["reproduce", *arguments, "--out", str(tmp_path)]) == 2
        assert words in capsys.readouterr().err
    torch.save({"x": torch.zeros(1)}, tmp_path / "w.pth")
    assert main(["reproduce", "--row", "sam-box-bus_bra", "--checkpoint", str(tmp_path / "w.pth")]) == 2
    assert "no Segment Anything image encoder" in capsys.readouterr().err
