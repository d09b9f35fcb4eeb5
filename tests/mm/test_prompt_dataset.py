"""Samples are a function of seed, pass and image; nothing else."""

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from torch.utils.data import DataLoader

from tests.kit.closeness import assert_same
from tests.kit.miniature import SIZE
from ultrasam import preprocess
from ultrasam.data import coco
from ultrasam.errors import DataError
from ultrasam.mm.datasets.prompt_dataset import PromptDataset
from ultrasam.mm.datasets.tickets import PromptSampler
from ultrasam.mm.models.preprocessor import PromptDataPreprocessor
from ultrasam.preprocess import Geometry
from ultrasam.prompts.sample import mask_target


def dataset(data, **kwargs):
    settings = {"ann_file": "annotations/train.agnostic.json", "seed": 3, "flip": 0.5, **kwargs}
    return PromptDataset(img_size=SIZE, data_root=f"{data}/", data_prefix={"img": "images/"}, **settings)


def stream(data, workers, skip=0, rank=0, world=1):
    used = dataset(data)
    sampler = PromptSampler(used, seed=5)
    sampler.rank, sampler.world_size = rank, world
    sampler.indices = sampler._indices_of_rank()
    if skip:
        sampler.skip(skip)
    loader = DataLoader(
        used, batch_size=1, sampler=sampler, num_workers=workers, collate_fn=lambda batch: batch[0]
    )
    out = []
    for _, sample in zip(range(70 // world - skip), loader, strict=False):
        prompts, truth = sample["data_samples"].prompts, sample["data_samples"].gt_instances
        values = [sample["inputs"].float(), prompts.points, prompts.labels, prompts.boxes, truth.targets]
        out.append(torch.cat([v.float().nan_to_num(-5).flatten() for v in values]))
    return out


def same(a, b):
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_workers_restarts_and_ranks_change_nothing(phantom_data):
    plain = stream(phantom_data, workers=0)
    assert len(plain) == 70 > 2 * len(dataset(phantom_data))  # more than two passes
    assert same(plain, stream(phantom_data, workers=2))
    assert same(plain[37:], stream(phantom_data, workers=0, skip=37))
    halves = [stream(phantom_data, workers=0, rank=rank, world=2) for rank in (0, 1)]
    assert same(plain, [halves[i % 2][i // 2] for i in range(70)])


def test_passes_differ(phantom_data):
    used = dataset(phantom_data)
    first, second = (used[len(used) * number]["data_samples"].prompts for number in (0, 1))
    assert not torch.equal(first.points.nan_to_num(), second.points.nan_to_num()) or not torch.equal(
        first.boxes.nan_to_num(), second.boxes.nan_to_num()
    )


def test_iterating_is_one_pass(phantom_data):
    """The sampler goes on with the next pass beyond the last image; a loop must not."""
    used = dataset(phantom_data)
    seen = [sample["data_samples"].img_id for sample in used]
    assert len(seen) == len(used) == len(set(seen))
    assert used[10 * len(used)]["data_samples"].img_id == seen[0]


def test_one_seed_for_order_and_samples(phantom_data):
    """Without one of its own the data set draws with the sampler's seed, which is the run's."""
    own, theirs = dataset(phantom_data, seed=7), dataset(phantom_data, seed=None)
    sampler = PromptSampler(theirs, seed=7)
    assert theirs.seed == sampler.seed == 7
    for index in (0, 3, len(own) + 3):
        a, b = own[index]["data_samples"].prompts, theirs[index]["data_samples"].prompts
        assert torch.equal(a.points.nan_to_num(), b.points.nan_to_num())
    PromptSampler(own, seed=8)
    assert own.seed == 7


def test_what_mmdetection_draws_lies_on_the_image(phantom_data):
    """Boxes of the training samples, in the resized image's pixels and flipped with it."""
    used = dataset(
        phantom_data, flip=1.0, prompts={"point_probability": 0.0, "box_noise": 0.0, "per_object": 2}
    )
    for index in range(4):
        sample = used[index]["data_samples"]
        assert np.allclose(sample.gt_instances.bboxes, sample.prompts.boxes.numpy(), atol=1e-3)
        assert len(sample.gt_instances.labels) == len(sample.gt_instances.targets) == len(sample.prompts)


def test_a_sample_holds_what_the_file_says(phantom_data):
    used = dataset(phantom_data, flip=0.0)
    content = coco.load(phantom_data / "annotations/train.agnostic.json", phantom_data / "images")
    for index in (0, 5):
        item, sample = content.images[index], used[index]
        masks = [coco.decode(a["segmentation"], item.size, "") for a in item.annotations]
        geometry = Geometry.of(*item.size, SIZE)
        expected = np.stack([mask_target(m, geometry, SIZE // 4) for m in masks])
        assert np.array_equal(sample["data_samples"].gt_instances.targets.numpy(), expected)
        assert sample["inputs"].dtype == torch.uint8 and tuple(sample["inputs"].shape[1:]) == geometry.resized


def test_a_flip_moves_image_masks_and_prompts_together(phantom_data):
    straight, flipped = (
        dataset(phantom_data, flip=p, prompts={"point_probability": 0.0, "box_noise": 0.0}) for p in (0, 1)
    )
    for index in range(4):
        a, b = straight[index], flipped[index]
        width = a["inputs"].shape[2]
        assert (a["inputs"].flip(2).int() - b["inputs"].int()).abs().max() <= 1
        x1, y1, x2, y2 = a["data_samples"].prompts.boxes.T
        assert_same(b["data_samples"].prompts.boxes, torch.stack([width - x2, y1, width - x1, y2], 1))


def test_wrong_image_size_names_file_and_id(phantom_data, tmp_path):
    used = dataset(phantom_data)
    info = used.get_data_info(2)
    info["height"] += 1
    with pytest.raises(DataError, match=r"\.png is .* says .*image \d+"):
        used.pipeline(info)


def test_broken_mask_names_annotation(phantom_data):
    used = dataset(phantom_data)
    info = used.get_data_info(0)
    info["instances"][0]["mask"]["counts"] = "o"
    with pytest.raises(DataError, match=r"image \d+, annotation \d+ has a malformed mask"):
        used.pipeline(info)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_gray_images_are_the_same_as_one_channel_and_as_three(phantom_data, flip):
    light = dataset(phantom_data, flip=flip)
    plain = dataset(phantom_data, flip=flip)
    plain.pipeline.transforms[0].grey_views = False
    for index in range(3):
        one, three = light[index]["inputs"], plain[index]["inputs"]
        assert one.stride(0) == 0 and three.stride(0) == 1  # so the short way was taken
        assert torch.equal(one, three)


def test_the_device_normalizes_as_preprocess_does():
    images = [torch.randint(0, 256, (3, h, w), dtype=torch.uint8) for h, w in ((64, 40), (30, 64))]
    for black in (False, True):
        samples = [DetDataSample(metainfo={"img_shape": image.shape[1:]}) for image in images]
        batch = PromptDataPreprocessor(img_size=SIZE, black_padding=black)(
            {"inputs": images, "data_samples": samples}
        )["inputs"]
        for image, found in zip(images, batch, strict=True):
            steps = (preprocess.normalize, lambda i: preprocess.pad(i, SIZE))
            for step in steps[::-1] if black else steps:
                image = step(image)
            assert torch.equal(found, image)
