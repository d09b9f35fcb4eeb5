"""Backbones under MMDetection: the right maps, strict starts, a Mask2Former decoder that really loads."""

import copy

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from tests.kit.closeness import assert_as_exact, assert_same
from tests.kit.miniature import changes
from ultrasam import checkpoints
from ultrasam.errors import CheckpointError, ConfigError
from ultrasam.mm.engine.configuration import load_config
from ultrasam.mm.models.backbone import ResNetBackbone, UltraSamBackbone
from ultrasam.mm.models.segmenter import load_decoder
from ultrasam.modeling.build import build_ultrasam

SMALL = "downstream/segmentation/mask2former_vit-t_phantom"


def config(name=SMALL, *options):
    values = ["img_size=64", *options]
    return load_config(name, cfg_options=changes(*values))


def test_maps_are_the_encoders(tmp_path):
    torch.manual_seed(0)
    sam = build_ultrasam("vit_t", img_size=64)
    checkpoints.save(sam.state_dict(), tmp_path / "sam.pth")
    backbone = UltraSamBackbone("vit_t", 64, layers=(1, 3, 5), weights={"path": str(tmp_path / "sam.pth")})
    backbone.init_weights()
    image = torch.randn(2, 3, 64, 64)
    maps = backbone(image)
    assert len(backbone.encoder.blocks) == 6
    with torch.no_grad():
        expected = sam.image_encoder.intermediate(image, [1, 3, 5])
    assert maps[0].shape == (2, 192, 4, 4) and len(maps) == 3
    # With gradients attention takes another exact path.
    for found, plain in zip(maps, expected, strict=True):
        assert_same(found, plain)
    assert maps[-1].requires_grad
    frozen = UltraSamBackbone("vit_t", 64, frozen=True)
    assert not frozen(image)[0].requires_grad and not any(p.requires_grad for p in frozen.parameters())
    with pytest.raises(ConfigError, match="blocks from 0 to 7"):
        UltraSamBackbone("vit_t", 64, layers=(8,))


def test_resnet_starts_from_torchvision_or_not_at_all(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    peer = torchvision.models.resnet18().eval()
    torch.save(peer.state_dict(), tmp_path / "r18.pth")
    found = ResNetBackbone(weights={"path": str(tmp_path / "r18.pth")}, depth=18)
    found.eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        answers = []
        for network, x in ((peer, image), (copy.deepcopy(peer).double(), image.double())):
            x = network.maxpool(network.relu(network.bn1(network.conv1(x))))
            for number in range(1, 5):
                x = getattr(network, f"layer{number}")(x)
            answers.append(x)
        assert_as_exact(found(image)[-1], *answers)
    assert found.width == 512
    with pytest.raises(CheckpointError, match="no ResNet-50 of torchvision"):
        ResNetBackbone(weights={"path": str(tmp_path / "r18.pth")}, depth=50)


def built(*options):
    model = MODELS.build(ConfigDict(config(SMALL, *options).model))
    model.init_weights()
    return model


def test_the_decoder_starts_from_another_number_of_classes(tmp_path):
    other = built("classes=['a','b']")
    torch.save({"meta": {}, "state_dict": other.state_dict()}, tmp_path / "coco.pth")
    model = built("classes=['a','b','c']", f"model.decoder.path={tmp_path / 'coco.pth'}")
    left_out = {"panoptic_head.cls_embed.weight", "panoptic_head.cls_embed.bias"}
    theirs = other.state_dict()
    names = [n for n in theirs if n.startswith("panoptic_head.") and n not in left_out]
    assert len(names) > 100
    assert all(torch.equal(model.state_dict()[name], theirs[name]) for name in names)
    assert not torch.equal(model.neck.levels[2][0].weight, other.neck.levels[2][0].weight)
    text = load_decoder(model, tmp_path / "coco.pth")
    assert f"{len(names)} of {len(names) + 2} tensors loaded; 2 of another shape: cls_embed" in text
    # A head alone, as some files hold it.
    head = {n.removeprefix("panoptic_head."): v for n, v in theirs.items() if n.startswith("panoptic_head.")}
    torch.save(head, tmp_path / "head.pth")
    assert f"{len(names)} of" in load_decoder(model, tmp_path / "head.pth")


def test_a_decoder_of_which_nothing_loads_is_refused(tmp_path):
    """The published configuration loads 0 of 292 tensors and goes on in silence."""
    model = built("classes=['a']")
    state = {f"decode_head.{n}": v for n, v in model.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "odd.pth")
    with pytest.raises(CheckpointError, match=r"0 of \d+ tensors loaded.*no start for this decoder"):
        load_decoder(model, tmp_path / "odd.pth")


def test_the_full_decoder_has_292_tensors():
    for name in ("mask2former_vit-b_bus_bra", "paper/mask2former_vit-b_bus_bra"):
        with torch.device("meta"):
            model = MODELS.build(config(f"downstream/segmentation/{name}").model)
        assert sum(n.startswith("panoptic_head.") for n in model.state_dict()) == 292


def test_a_checkpoint_of_other_classes_is_refused(tmp_path):
    torch.save({"state_dict": built("classes=['a','b']").state_dict()}, tmp_path / "two.pth")
    with pytest.raises(CheckpointError, match=r"cls_embed.* is \(3, 64\), the model has \(4, 64\)"):
        built("classes=['a','b','c']").load_weights(str(tmp_path / "two.pth"))


@pytest.mark.parametrize("name", [SMALL, "downstream/classification/classifier_vit-t_phantom"])
def test_a_task_without_classes_is_refused(name):
    with pytest.raises(ConfigError, match="the model has no classes"):
        MODELS.build(config(name, "classes=[]").model)


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
            ],
        ),
    ],
)
@pytest.mark.parametrize("amp", [False, True])
def test_mask2former_learns_without_compiled_operators(device, amp):
    """One image over and over: the loss falls, also in mixed precision."""
    torch.manual_seed(0)
    model = built("classes=['a','b']").to(device)
    masks = np.zeros((2, 64, 64), np.uint8)
    masks[0, 8:30, 8:40], masks[1, 36:60, 20:60] = 1, 1
    image = torch.from_numpy((masks[0] * 90 + masks[1] * 200)[None].repeat(3, 0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        sample = DetDataSample(metainfo={"img_shape": (64, 64), "ori_shape": (64, 64)})
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[8.0, 8, 40, 30], [20, 36, 60, 60]]),
            labels=torch.tensor([0, 1]),
            masks=BitmapMasks(masks, 64, 64),
        )
        ready = model.data_preprocessor({"inputs": [image], "data_samples": [sample]}, True)
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            loss, _ = model.parse_losses(model(**ready, mode="loss"))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0] and np.isfinite(losses).all()
    assert all(p.grad is not None for p in model.backbone.parameters())
