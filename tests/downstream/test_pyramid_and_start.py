"""The pyramid's strides, and start weights for encoders that are built already."""

import pytest
import torch

from ultrasam import checkpoints
from ultrasam.downstream import Pyramid, load_start
from ultrasam.errors import CheckpointError
from ultrasam.modeling.build import build_ultrasam


def test_levels_have_strides_4_to_32_and_see_their_place():
    pyramid = Pyramid(24, channels=8).eval()
    x = torch.randn(1, 24, 6, 10)
    levels = pyramid(x)
    assert [tuple(level.shape) for level in levels] == [
        (1, 8, 24, 40), (1, 8, 12, 20), (1, 8, 6, 10), (1, 8, 3, 5),
    ]  # fmt: skip
    # A change in one corner of the map stays in that corner of every level.
    changed = x.clone()
    changed[..., 0, 0] += 1
    for level, after in zip(levels, pyramid(changed), strict=True):
        difference = (level - after).abs().sum(dim=1)[0]
        rows, columns = difference.shape
        assert difference[0, 0] > 0 and not difference[rows // 2 + 1 :, columns // 2 + 1 :].any()
    sum(level.sum() for level in levels).backward()
    assert all(p.grad is not None for p in pyramid.parameters())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    torch.manual_seed(1)
    model = build_ultrasam("vit_t", img_size=64)
    folder = tmp_path_factory.mktemp("weights")
    for kind in ("sam", "ultrasam", "mmdet"):
        checkpoints.save(model.state_dict(), folder / f"{kind}.pth", kind)
    return model, folder


@pytest.mark.parametrize("kind", ["sam", "ultrasam", "mmdet"])
def test_every_kind_of_file_starts_an_encoder(trained, kind):
    model, folder = trained
    encoder = build_ultrasam("vit_t", img_size=64).image_encoder
    encoder.neck = torch.nn.Sequential()
    report = load_start(encoder, folder / f"{kind}.pth")
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = model.image_encoder.intermediate(image, [3, 7])
        assert all(map(torch.equal, encoder.intermediate(image, [3, 7]), expected))
    assert report.loaded == len(encoder.state_dict()) and not report.missing


def test_another_input_size_resizes_the_tables(trained):
    model, folder = trained
    encoder = build_ultrasam("vit_t", img_size=96).image_encoder
    load_start(encoder, folder / "sam.pth")
    peer = checkpoints.load(folder / "sam.pth", img_size=96)
    image = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(encoder(image), peer.image_encoder(image))


def test_a_window_as_wide_as_the_grid_is_told_from_the_whole_grid(tmp_path):
    """vit_t at 128 pixels: both kinds of blocks have tables of one size, but only one kind is resized."""
    model = build_ultrasam("vit_t", img_size=128)
    torch.save(model.state_dict(), tmp_path / "128.pth")
    encoder = build_ultrasam("vit_t", img_size=64).image_encoder
    load_start(encoder, tmp_path / "128.pth")
    name = "blocks.0.attn.rel_pos_h"
    assert torch.equal(encoder.state_dict()[name], model.image_encoder.state_dict()[name])
    assert checkpoints.load_with_report(tmp_path / "128.pth")[1].variant == "vit_t at 128 px"


def test_an_encoder_of_another_size_is_refused(trained):
    _, folder = trained
    encoder = build_ultrasam("vit_s", img_size=64).image_encoder
    with pytest.raises(CheckpointError, match=r"vit_t.*builds.*vit_s.*set the backbone's 'variant'"):
        load_start(encoder, folder / "sam.pth")
    torch.save({"weight": torch.zeros(3)}, folder / "odd.pth")
    with pytest.raises(CheckpointError, match="no Segment Anything image encoder"):
        load_start(encoder, folder / "odd.pth")
