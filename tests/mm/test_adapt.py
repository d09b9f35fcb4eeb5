"""LoRA and adapters in configurations: the detector, and the backbone of the downstream tasks."""

import pytest
import torch
from mmengine.registry import init_default_scope

from tests.kit.closeness import assert_same
from tests.kit.detector import batch, detector
from ultrasam import checkpoints
from ultrasam.mm.engine.optim import DecayMatrices
from ultrasam.mm.models.backbone import UltraSamBackbone

KINDS = [{"type": "lora", "rank": 4}, {"type": "adapter", "hidden": 8}]


@pytest.mark.parametrize("adapt", KINDS)
@pytest.mark.parametrize("decoder", [True, False])
def test_the_detector_trains_what_it_should(adapt, decoder, phantom_data, tmp_path):
    torch.save(detector().sam.state_dict(), tmp_path / "start.pth")
    model = detector(adapt={**adapt, "decoder": decoder}, weights={"path": str(tmp_path / "start.pth")})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ready = model.data_preprocessor(batch(phantom_data))
    plain = detector().sam.image_encoder(ready["inputs"])
    assert_same(model.eval().sam.encode_images(ready["inputs"]), plain)
    options = {"type": "AdamW", "lr": 1e-3}
    wrapper = DecayMatrices({"type": "OptimWrapper", "optimizer": options})(model.train())
    for _ in range(2):
        wrapper.update_params(sum(model(**ready, mode="loss").values()))
    changed = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    new = {n for n in changed if ".lora_" in n or "_adapter." in n}
    assert new and all(".mask_decoder." in n for n in changed - new) and bool(changed - new) == decoder

    # A training checkpoint is an ordinary one, or one with adapters, wherever weights are loaded.
    torch.save({"state_dict": model.state_dict()}, tmp_path / "run.pth")
    expected = model.eval().sam.encode_images(ready["inputs"])
    again = checkpoints.load(tmp_path / "run.pth")
    assert_same(again.encode_images(ready["inputs"]), expected)
    tested = detector(adapt=adapt)
    tested.load_weights(str(tmp_path / "run.pth"))
    assert_same(tested.eval().sam.encode_images(ready["inputs"]), expected)


@pytest.mark.parametrize("adapt", KINDS)
def test_the_backbone_of_the_tasks(adapt, tmp_path):
    init_default_scope("mmdet")
    torch.manual_seed(0)
    options = {"variant": "vit_t", "img_size": 64, "layers": (-1,)}
    plain = UltraSamBackbone(**options)
    torch.save(
        {f"image_encoder.{n}": v for n, v in plain.encoder.state_dict().items()}, tmp_path / "start.pth"
    )
    model = UltraSamBackbone(**options, weights={"path": str(tmp_path / "start.pth")}, adapt=adapt).eval()
    images = torch.randn(1, 3, 64, 64)
    assert_same(model(images)[0], plain.eval()(images)[0])
    model.train()(images)[0].square().sum().backward()
    trained = {n for n, p in model.named_parameters() if p.grad is not None}
    assert trained == {n for n, p in model.named_parameters() if p.requires_grad}
    assert all(".lora_" in n or "_adapter." in n for n in trained)
