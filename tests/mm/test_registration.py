"""Importing ``ultrasam.mm`` registers all of it; processes without GPUs find each other; where results go."""

import importlib
import os
import pkgutil
import stat

import mmdet.registry
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import Registry, root

import ultrasam.mm
from ultrasam.errors import ConfigError
from ultrasam.mm import compat
from ultrasam.mm.evaluation.dump import write_results


def registered():
    """Everything of ours in every registry that MMDetection searches."""
    registries = [*vars(mmdet.registry).values(), *vars(root).values()]
    found = [cls for r in registries if isinstance(r, Registry) for cls in r.module_dict.values()]
    return {cls for cls in found if getattr(cls, "__module__", "").startswith("ultrasam.mm.")}


def test_importing_the_package_registers_all_of_it():
    before = registered()
    for module in pkgutil.walk_packages(ultrasam.mm.__path__, "ultrasam.mm."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert registered() == before and len(before) >= 35


def test_names_that_stood_in_the_package():
    with pytest.warns(DeprecationWarning, match=r"ultrasam\.mm\.models\.detector.*goes away in 0\.3"):
        assert ultrasam.mm.UltraSam.__module__ == "ultrasam.mm.models.detector"
    with pytest.raises(AttributeError, match="'Tensor'"):
        _ = ultrasam.mm.Tensor


@pytest.fixture
def started(monkeypatch):
    """What torch is told, without a group of processes."""
    told = {}
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    for name in names:
        monkeypatch.setenv(name, "before")  # so that it is restored
        monkeypatch.delenv(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(
        torch.distributed,
        "init_process_group",
        lambda backend: told.update(backend=backend, **{n: os.environ.get(n) for n in names}),
    )
    return told


def test_slurm_without_gpus(started, tmp_path, monkeypatch):
    """The first of the job's machines is where processes meet, as ``scontrol`` lists them."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames node[3-4]" ] && printf "node3\\nnode4\\n"\n')
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_NODELIST", "node[3-4]")
    for name, value in (("SLURM_PROCID", "5"), ("SLURM_NTASKS", "8"), ("SLURM_LOCALID", "1")):
        monkeypatch.setenv(name, value)
    compat.init_process_group("slurm")
    assert started == {
        **{"backend": "gloo", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"},
        **{"MASTER_ADDR": "node3", "MASTER_PORT": "29500"},
    }
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    compat.init_process_group("slurm")
    assert started["MASTER_ADDR"] == "10.0.0.1"


def test_mpi_without_gpus(started, monkeypatch):
    for name, value in (("RANK", "2"), ("SIZE", "4"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(f"OMPI_COMM_WORLD_{name}", value)
    compat.init_process_group("mpi")
    assert (started["RANK"], started["WORLD_SIZE"], started["LOCAL_RANK"]) == ("2", "4", "0")


@pytest.mark.parametrize("launcher", ["slurm", "mpi"])
def test_a_launcher_that_was_not_there(started, launcher, monkeypatch):
    for name in ("SLURM_PROCID", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=f"--launcher {launcher}, but .*_(PROCID|RANK) is not set"):
        compat.init_process_group(launcher)
    assert not started


def test_results_go_where_the_ending_says(tmp_path):
    def config():
        return Config({"test_evaluator": {"type": "PromptCocoMetric"}})

    for out in ("a.json", tmp_path / "a.json"):
        cfg = config()
        write_results(cfg, out)
        assert cfg.test_evaluator == {"type": "PromptCocoMetric", "outfile": str(out)}
    for out in ("a.pkl", tmp_path / "b.pickle"):
        cfg = config()
        write_results(cfg, out)
        own, dump = cfg.test_evaluator
        assert own == ConfigDict(type="PromptCocoMetric")
        assert dump == {"type": "DumpDetResults", "out_file_path": str(out)}
    with pytest.raises(ConfigError, match=r"\.json .*\.pkl .*not to found\.txt"):
        write_results(config(), "found.txt")
