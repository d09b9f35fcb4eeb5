"""Names of earlier versions: old modules still import, with a warning that says where they are now."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Old module -> new module, both below ``ultrasam``.
MOVED = {
    "baselines": "evaluate.baselines",
    "closer": "preprocess",
    "coco": "data.coco",
    "columns": "data.columns",
    "compat": "machine.torchvision_compat",
    "converters.engine.ahu": "converters.ahu",
    "converters.engine.merge": "converters.merge",
    "degrade": "data.degrade",
    "demo.baselines": "evaluate.prompting",
    "demo.own_data": "data.split",
    "demo.phantoms": "data.phantoms",
    "demo.report": "demo.demo_page",
    "demo.run": "demo.demo",
    "doctor": "machine.doctor",
    "downstream.metrics": "downstream.label_metrics",
    "downstream.start": "checkpoints.loading",
    "draw": "report.draw",
    "encoder": "downstream.encoder",
    "evaluate.data": "evaluate.samples",
    "evaluate.noise": "prompts.noise",
    "evaluate.report": "evaluate.evaluate_page",
    "evaluate.run": "evaluate.evaluate",
    "evaluation": "evaluate.coco_map",
    "export_check": "export.parity",
    "finetune.data": "finetune.batches",
    "finetune.report": "finetune.finetune_page",
    "finetune.run": "finetune.finetune",
    "images": "data.images",
    "metrics": "evaluate.metrics",
    "mm.augment": "mm.datasets.augment",
    "mm.backbone": "mm.models.backbone",
    "mm.classification": "mm.datasets.label_dataset",
    "mm.dataset": "mm.datasets.prompt_dataset",
    "mm.detector": "mm.models.detector",
    "mm.hooks": "mm.engine.hooks",
    "mm.inspect": "mm.engine.inspect",
    "mm.instances": "mm.datasets.instance_dataset",
    "mm.metric": "mm.evaluation.prompt_metric",
    "mm.optim": "mm.engine.optim",
    "mm.pictures": "mm.engine.pictures",
    "mm.preprocessor": "mm.models.preprocessor",
    "mm.run": "mm.engine.train",
    "mm.segment": "mm.engine.segment",
    "mm.segmenter": "mm.models.segmenter",
    "mm.transforms": "mm.datasets.transforms",
    "modeling.adapter": "modeling.adapt.adapter",
    "modeling.attention": "modeling.kernels.attention",
    "modeling.lora": "modeling.adapt.lora",
    "modeling.products": "modeling.kernels.products",
    "modeling.tuning": "modeling.adapt.tuning",
    "phantom.artefacts": "phantom.artifacts",
    "phantom.records": "phantom.phantom",
    "predict.dicom": "predict.files.dicom",
    "predict.runs": "data.coco",
    "predict.prompt_files": "predict.files.prompt_files",
    "predict.sources": "predict.files.sources",
    "predictor": "predict.predictor",
    "process": "machine.process",
    "reproduce.report": "reproduce.reproduce_page",
    "reproduce.run": "reproduce.reproduce",
    "scoring": "evaluate.prompting",
    "selftest": "machine.selftest",
    "webpage": "report.page",
}


class OldModules(MetaPathFinder, Loader):
    """Finds modules under their old names; asked only when nothing else finds one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for an old name, None for all others."""
        old = fullname.removeprefix("ultrasam.")
        return ModuleSpec(fullname, self) if old != fullname and old in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Warn, and hand on every name from the new module."""
        old = module.__name__
        new = f"ultrasam.{MOVED[old.removeprefix('ultrasam.')]}"
        # The importing line is above importlib's own frames, which warnings leaves out.
        warnings.warn(f"{old} has moved to {new}; the old name goes away in 0.3", DeprecationWarning, 2)

        def __getattr__(name: str) -> Any:
            return getattr(importlib.import_module(new), name)

        module.__getattr__ = __getattr__  # type: ignore[method-assign]


def find_old_modules() -> None:
    """Let old names import from now on."""
    if not any(isinstance(finder, OldModules) for finder in sys.meta_path):
        sys.meta_path.append(OldModules())
