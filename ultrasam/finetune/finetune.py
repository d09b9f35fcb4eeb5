"""From a COCO file and weights to better weights, a table that says how much better, and pictures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import ultrasam
from ultrasam import checkpoints
from ultrasam.data.files import write_json
from ultrasam.data.settings import forget_other_settings
from ultrasam.data.split import TEST_SHARE, Split, load_split
from ultrasam.errors import UltraSamError
from ultrasam.evaluate.coco_map import evaluate
from ultrasam.evaluate.prompting import score_baselines, score_images
from ultrasam.finetune.advice import advice, keeps_tuned, kept
from ultrasam.finetune.finetune_page import Scores, draw_pairs, finetune_table, write_page
from ultrasam.finetune.training import Recipe, prepare, train
from ultrasam.machine.memory import memory_advice
from ultrasam.modeling.adapt.lora import merge_lora
from ultrasam.modeling.adapt.tuning import trained_parameters
from ultrasam.modeling.sam import Sam
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.torch_engine import available, best_device

#: Of an output folder.
_RESULTS = ("state.pth", "model.pth", "scores.json", "index.html", "shown_*")


@dataclass(frozen=True)
class Settings:
    """What a fine-tuned model depends on.

    Attributes:
        coco: the COCO file.
        images: the folder that its file names start from.
        weights: a weight file of any kind that `ultrasam.load` takes, or a name.
        recipe: how to train.
        categories: use only objects of these categories; None for all.
        held_out: share of the subjects that are tested on and not trained on, where the file has
            no test side.
        img_size: side of the network's input; the weights' own where None.
    """

    coco: str
    images: str
    weights: str
    recipe: Recipe
    categories: Sequence[str] | None = None
    held_out: float = TEST_SHARE
    img_size: int | None = None


def finetune(settings: Settings, out: Path, device: str | None = None) -> Path:
    """Split, test, train, test again, and write ``out/model.pth`` and ``out/index.html``.

    A run with the same settings in the same folder goes on where it stopped.

    Returns:
        the fine-tuned weights.
    """
    recipe = settings.recipe
    if recipe.steps < 1 or recipe.batch_size < 1 or not recipe.lr > 0 or not 0 < settings.held_out < 1:
        raise UltraSamError("steps, batch size and rate must be positive, the held-out share in 0..1")
    weights = checkpoints.resolve(settings.weights)
    model, report = checkpoints.load_with_report(weights, img_size=settings.img_size)
    print(f"{weights}: {report}")
    sides = split(settings)
    print(sides.summary())
    if "val" in sides.sides:
        print("images of val are neither trained on nor tested on")
    forget_other_settings(out, _with_files(settings, weights), _RESULTS, [weights])
    chosen = available(device) if device else best_device()
    with memory_advice(_remedies(recipe)):
        _run(model.to(chosen), settings, sides, out)
    return out / "model.pth"


def split(settings: Settings) -> Split:
    """The sides of a user's file: what is on ``train`` is trained on, what is on ``test`` is tested on."""
    source, images = Path(settings.coco), Path(settings.images)
    return load_split(source, images, {"test": settings.held_out}, categories=settings.categories)


def _run(model: Sam, settings: Settings, sides: Split, out: Path) -> None:
    recipe = settings.recipe
    frozen = recipe.mode == "decoder"
    predictor = Predictor(model, cache=out / "embeddings" if frozen else None)
    train_on, held_out = sides.sides["train"], sides.sides["test"]
    sides.write("train", out / "train.json")
    before = score_images(predictor, held_out, describe="before, held-out images")
    baseline = score_baselines(sides.write("test", out / "held_out.json"), Path(settings.images))
    start_weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
    usage = model.usage
    prepare(model, recipe)
    print(f"mode {recipe.mode}: {trained_parameters(model)}")
    start = time.monotonic()
    losses = train(predictor, train_on, recipe, out / "state.pth")
    print(f"trained in {(time.monotonic() - start) / 60:.1f} minutes")
    merged = merge_lora(model.image_encoder)
    if merged:
        print(f"the LoRA of {merged} layers is merged: {out / 'model.pth'} is an ordinary checkpoint")
    after = score_images(predictor, held_out, describe="after, held-out images")
    scores: Scores = {
        "before": {kind: evaluate(results) for kind, results in before.items()},
        "after": {kind: evaluate(results) for kind, results in after.items()},
        "baseline": baseline,
    }
    write_json(out / "scores.json", scores, indent=1)
    shown = {kind: out / f"shown_{kind}" for kind in before}
    for kind, folder in shown.items():
        draw_pairs(held_out, before[kind], after[kind], kind, folder)
    tuned = keeps_tuned(scores["before"], scores["after"])
    # What predicted IoU is worth was fitted for other weights than the tuned ones.
    state, noted = (model.state_dict(), replace(usage, quality=None)) if tuned else (start_weights, usage)
    checkpoints.save(state, out / "model.pth", usage=noted)
    said = f"{kept(tuned)} {advice(scores['before'], scores['after'], recipe.mode)}"
    about = {**_described(settings), "closer": predictor.closer}
    page = write_page(out, scores, losses, shown, said, about)
    shutil.rmtree(out / "embeddings", ignore_errors=True)
    print(f"\n{finetune_table(scores).text()}\n{said}")
    print(f"\nweights: {out / 'model.pth'}\npage:    {page.resolve().as_uri()}")


def _described(settings: Settings) -> dict[str, Any]:
    return {**asdict(settings), "version": ultrasam.__version__}


def _with_files(settings: Settings, weights: Path) -> dict[str, Any]:
    """The settings and which files they mean: others under the same names are other settings."""
    files = [Path(settings.coco), *([weights] if weights.is_file() else [])]
    stamps = [[f.stat().st_size, f.stat().st_mtime_ns] for f in files]
    return {**_described(settings), "files": stamps}


def _remedies(recipe: Recipe) -> list[str]:
    """What saves memory and is not done yet."""
    return [
        f"a smaller --batch-size than {recipe.batch_size}" if recipe.batch_size > 1 else "",
        "" if recipe.mode == "decoder" else "--mode decoder",
        "" if recipe.mode == "decoder" or recipe.checkpointing else "--checkpointing",
        "" if recipe.amp else "--amp",
        "a smaller --img-size",
    ]
