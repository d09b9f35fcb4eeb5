"""Training from shards is training from the COCO file, in object storage too."""

import signal

import pytest
import torch
from mmdet.registry import DATASETS
from torch.utils.data import DataLoader

from tests.kit.miniature import SIZE, changes, options
from tests.kit.object_storage import serving
from ultrasam.data.formats import exporting
from ultrasam.data.shards.shard_reading import ShardStore
from ultrasam.errors import DataError, Interrupted
from ultrasam.mm.datasets.prompt_dataset import PromptDataset
from ultrasam.mm.datasets.tickets import PromptSampler
from ultrasam.mm.engine import hooks
from ultrasam.mm.engine.train import train

CONFIG, STEPS = "ultrasam/ultrasam_vit-t_phantom", 20


@pytest.fixture(scope="module")
def data(phantom_data):
    return phantom_data


@pytest.fixture(scope="module")
def shards(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("shards")
    for part in ("train", "val"):
        source = data / f"annotations/{part}.json"
        exporting.export(source, "webdataset", out / part, data / "images", shard_size=30_000)
    return out


@pytest.fixture(scope="module")
def storage():
    pytest.importorskip("moto", reason="moto's server (extra 'dev') is not installed")
    pytest.importorskip("s3fs", reason="s3fs (extra 'cloud') is not installed")
    with serving() as running:
        yield running


def both(data, shards, **kwargs):
    plain = PromptDataset(
        img_size=SIZE,
        ann_file=str(data / "annotations/train.json"),
        data_prefix={"img": str(data / "images")},
        seed=3,
        **kwargs,
    )
    settings = {"type": "ShardedPromptDataset", "img_size": SIZE, "ann_file": f"{shards}/train", "seed": 3}
    return plain, DATASETS.build({**settings, **kwargs})


def tensors(sample):
    prompts, truth = sample["data_samples"].prompts, sample["data_samples"].gt_instances
    return [sample["inputs"], truth.targets, *(v.nan_to_num(-5) for v in (prompts.points, prompts.boxes))]


@pytest.mark.parametrize("augment", [(), ({"type": "Tone", "probability": 1.0},)])
def test_a_ticket_gives_the_same_sample(data, shards, augment):
    plain, sharded = both(data, shards, flip=0.5, augment=augment)
    size = len(plain)
    assert size == len(sharded) > 10
    tickets = [3, size + 3, 0, 2 * size - 1, 5]
    for ticket, batched in zip(tickets, sharded.__getitems__(tickets), strict=True):
        for other in (batched, sharded[ticket]):
            assert all(map(torch.equal, tensors(plain[ticket]), tensors(other)))
            for name in ("img_id", "ori_shape", "dataset", "geometry"):
                assert getattr(plain[ticket]["data_samples"], name) == getattr(other["data_samples"], name)


def test_eight_workers_of_two_processes_see_each_sample_once(data, shards):
    _, used = both(data, shards)
    seen = []
    for rank in (0, 1):
        sampler = PromptSampler(used, seed=5)
        sampler.rank, sampler.world_size = rank, 2
        sampler.indices = sampler._indices_of_rank()
        loader = DataLoader(used, batch_size=1, sampler=sampler, num_workers=4, collate_fn=list)
        count = (len(used) + 1 - rank) // 2
        seen += [batch[0]["data_samples"].img_id for _, batch in zip(range(count), loader, strict=False)]
    assert sorted(seen) == sorted(used[i]["data_samples"].img_id for i in range(len(used)))


@pytest.fixture(scope="module")
def of_coco(data, tmp_path_factory):
    """The parameters after training from the COCO file."""
    given = changes(*options(data, STEPS, 2, 0)[1:], "train_cfg.val_interval=20")
    return weights(train(CONFIG, work_dir=tmp_path_factory.mktemp("coco"), cfg_options=given))


def weights(path):
    return torch.load(path, weights_only=False)["state_dict"]


def of_shards(place, work_dir, workers=0, **kwargs):
    given = options(f"{place}".rstrip("/"), STEPS, 2, workers)[1:]
    for side in ("train", "val", "test"):
        given += [f"{side}_dataloader.dataset.type=ShardedPromptDataset"]
        given += [f"{side}_dataloader.dataset.ann_file={'train' if side == 'train' else 'val'}"]
        given += [f"{side}_dataloader.dataset.data_prefix.img=''"]
    return train(CONFIG, work_dir=work_dir, cfg_options=changes(*given), **kwargs)


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_parameters_are_those_of_the_coco_file_and_a_break_changes_nothing(
    of_coco, shards, tmp_path, monkeypatch
):
    """Stopped in the middle of a pass and of a shard, and gone on with in another process's place."""
    before = hooks.StepSeedHook.before_train_iter

    def watched(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == 7:
            signal.raise_signal(signal.SIGUSR1)
        before(self, runner, batch_idx, data_batch)

    monkeypatch.setattr(hooks.StepSeedHook, "before_train_iter", watched)
    with pytest.raises(Interrupted, match="step 7 is kept"):
        of_shards(shards, tmp_path, workers=1)
    monkeypatch.undo()
    assert same(weights(of_shards(shards, tmp_path, workers=1, resume=True)), of_coco)


def test_from_object_storage(of_coco, shards, storage, tmp_path):
    for part in ("train", "val"):
        storage.upload(shards / part, f"us/{part}")
    assert same(weights(of_shards("s3://shards/us", tmp_path, workers=1)), of_coco)


def test_object_storage_that_does_not_give(shards, storage, tmp_path, monkeypatch):
    place = storage.upload(shards / "train", "spoiled")
    import fsspec

    system = fsspec.filesystem("s3")
    whole = ShardStore(place)
    assert len(whole.read(range(len(whole)))) == len(whole) and whole.verify() == []
    path = "shards/spoiled/shard-000001.tar"
    kept = system.cat_file(path)
    system.pipe_file(path, kept[:-2000])
    with pytest.raises(DataError, match=r"shard-000001\.tar has [\d,]+ of its"):
        ShardStore(place)
    system.rm_file(path)
    with pytest.raises(DataError, match=r"shard-000001\.tar is missing"):
        ShardStore(place)
    last = whole.index.shards[0].samples
    with pytest.raises(DataError, match=r"shard-000001\.tar is missing"):
        whole.read([last])
    with pytest.raises(DataError, match="nothing is no whole set of shards"):
        ShardStore("s3://shards/nothing")
    storage.ask_for_keys(0)
    try:
        with pytest.raises(DataError, match=r"index\.json may not be read with these rights"):
            ShardStore(place)
        with pytest.raises(DataError, match=r"shard-000000\.tar may not be read with these rights"):
            whole.read([0])
    finally:
        storage.ask_for_keys(float("inf"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(DataError, match=r"index\.json can't be read: .*127\.0\.0\.1:9"):
        ShardStore(place)


def test_from_memory(shards):
    import fsspec

    system = fsspec.filesystem("memory")
    for path in (shards / "train").iterdir():
        system.pipe_file(f"/train/{path.name}", path.read_bytes())
    store = ShardStore("memory://train")
    assert len(store.read([0, 5])) == 2
