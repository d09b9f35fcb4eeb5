"""The published checkpoint's names and shapes through the package: file, predictor, segment-anything."""

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

import ultrasam
from tests.kit import published
from tests.kit.closeness import assert_same
from ultrasam import checkpoints
from ultrasam.predict.object_prompt import ObjectPrompt

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def truth():
    published.require()
    return published.load()


def write(folder, size):
    """As mmengine writes it."""
    path = folder / "UltraSam.pth"
    torch.save({"meta": {}, "state_dict": published.published_state(size), "message_hub": {}}, path)
    return path


def objects(kind, index):
    found = []
    for mask in published.masks(index):
        y, x = np.nonzero(mask)
        box = [x.min(), y.min(), x.max() + 1, y.max() + 1]
        center = [x.mean() + 0.5, y.mean() + 0.5]
        found.append(ObjectPrompt(points=[center]) if kind == "point" else ObjectPrompt(box=box))
    return found


def check(size, index, folder, truth):
    stored, facts = truth
    path = write(folder, size)
    assert len(published.published_state("vitb")) == 293
    for passes in (0, 1):
        predictor = ultrasam.Predictor.as_published(str(path), device="cpu")
        if passes == 0:
            predictor.refinement = None
        predictor.set_image(published.image(index))
        for kind in ("point", "box"):
            name = f"{size}/{kind}/{index}/refine{passes}"
            found = predictor.segment(objects(kind, index), multimask=True)
            assert_same(found.logits[:, None, ::16, ::16], stored[f"{name}/logits"], published.ROUNDING)
            assert_same(found.scores, stored[f"{name}/scores"], published.ROUNDING, scale=1)
            geometry = found.sources[0].crop.geometry
            least, most = (
                masks.numpy()
                for masks in published.between(torch.from_numpy(found.logits)[:, None], geometry, "official")
            )
            for area in (found.masks.sum((1, 2)), stored[f"{name}/area"]):
                assert (least.sum((1, 2)) <= area).all() and (area <= most.sum((1, 2))).all()
            for row, counts in enumerate(facts.get(f"{name}/rle", [])):
                mask = coco_mask.decode({"size": list(found.size), "counts": counts.encode()}).astype(bool)
                assert mask[least[row]].all() and not mask[~most[row]].any()
    return path


@pytest.mark.parametrize("index", [0, 1])
def test_published_file_gives_official_logits_and_masks(index, tmp_path, truth):
    assert sum("rle" in name for name in truth[1]) > 0
    check("tiny", index, tmp_path, truth)


@pytest.mark.slow
def test_published_vit_b_file_and_segment_anything(tmp_path, truth):
    from segment_anything import SamPredictor, sam_model_registry

    path = check("vitb", 0, tmp_path, truth)
    checkpoints.convert(path, tmp_path / "sam.pth", "sam")
    path.unlink()
    stored, _ = truth
    theirs = SamPredictor(sam_model_registry["vit_b"](checkpoint=str(tmp_path / "sam.pth")))
    image = ultrasam.preprocess.to_input(published.image(0), 1024, "truncate")[0][None]
    with torch.no_grad():
        theirs.features = theirs.model.image_encoder(image)
    assert_same(theirs.features[0, ::16, ::8, ::8], stored["vitb/embed/0"])
    theirs.is_image_set, theirs.original_size, theirs.input_size = True, (300, 420), (731, 1024)
    for kind in ("point", "box"):
        # Stored prompts have the half pixel that segment-anything adds by itself.
        rows = torch.from_numpy(stored[f"prompt/{kind}/0"]).float() - 0.5
        given = {"boxes": rows.reshape(3, 4)} if kind == "box" else {}
        points = (rows.reshape(3, 1, 2), torch.ones(3, 1)) if kind == "point" else (None, None)
        for multimask in (0, 1):
            low = theirs.predict_torch(*points, **given, multimask_output=bool(multimask))[2]
            expected = stored[f"vitb/{kind}/0/first_pass_logits_mm{multimask}"]
            assert_same(low[:, :, ::16, ::16], expected, published.ROUNDING)
