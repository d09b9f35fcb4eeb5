"""An evaluation as files: ``results.json``, ``results.md``, and one HTML page with plots and pictures."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ultrasam.data import coco
from ultrasam.data.images import read_image
from ultrasam.errors import DataError
from ultrasam.evaluate.examine import Record
from ultrasam.evaluate.plots import plots
from ultrasam.evaluate.samples import Sample
from ultrasam.evaluate.tables import Results, Table, comparison, tables
from ultrasam.report import page
from ultrasam.report.draw import overlay

_WORST, _BEST, _SIDE = 6, 3, 512


def write_report(
    out: Path,
    results: Results,
    records: Sequence[Record],
    samples: Sequence[Sample],
    others: Mapping[str, Results],
) -> Path:
    """Write everything; returns the HTML page.

    Args:
        out: the folder.
        results: `scores.summarize`, and how they were made.
        records: of each image.
        samples: the images, for the pictures.
        others: earlier evaluations to show beside this one, by name.
    """
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    drawn = plots(results, records)
    beside = comparison({**others, results["title"]: results}) if others else []
    text = [markdown(results), *(["## Beside others\n"] if beside else []), *(t.markdown() for t in beside)]
    (out / "results.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")
    parts = [
        f"<h1>{html.escape(results['title'])}</h1>",
        *(f"<p>{html.escape(line)}</p>" for line in _about(results)),
        f"<div class='curves'>{''.join(drawn.values())}</div>",
        *(_html(table) for table in tables(results)),
        *(["<h2>Beside others</h2>"] if beside else []),
        *(_html(table) for table in beside),
        *_cases(records, samples),
        f"<h2>Settings</h2><pre>{html.escape(json.dumps(_settings(results), indent=1))}</pre>",
    ]
    path = out / "report.html"
    path.write_text(page.page(results["title"], parts), encoding="utf-8")
    return path


def write_page(path: Path, results: Results, records: Sequence[Record]) -> None:
    """The results as a page of the docs: Markdown, and its plots in ``images`` beside it."""
    folder = path.parent / "images"
    folder.mkdir(parents=True, exist_ok=True)
    links = []
    for name, svg in plots(results, records).items():
        file = folder / f"{path.stem}-{name}.svg"
        file.write_text(svg + "\n", encoding="utf-8")
        links.append(f"![{name}](images/{file.name})")
    path.write_text(markdown(results, links) + "\n", encoding="utf-8")


def read_results(folder: Path) -> Results:
    """The results of an earlier evaluation.

    Raises:
        DataError: there are none in the folder.
    """
    path = folder / "results.json"
    try:
        content: Results = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"no results of an evaluation at {path}; give the --out of an earlier one") from error
    if not isinstance(content, dict) or "datasets" not in content:
        raise DataError(f"{path} holds no results of 'ultrasam evaluate'")
    return content


def markdown(results: Results, links: Sequence[str] = ()) -> str:
    """Tables and how they were made."""
    parts = [f"# {results['title']}", *_about(results), *links]
    parts += [table.markdown() for table in tables(results)]
    return "\n\n".join([*parts, f"Made with\n\n```\n{results['command']}\n```"])


def _about(results: Results) -> list[str]:
    everything, subject, seconds = results["all"], results["subject"], results["all"]["seconds"]
    options = [f"{key}={value}" for key, value in subject["options"].items()]
    options += ["published test"] if subject["published"] else []
    options += ["with a closer look"] if subject["closer"] else []
    times = ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in seconds.items())
    return [
        f"{everything['objects']} objects on {everything['images']} images, {len(results['datasets'])} data "
        f"set{'s' * (len(results['datasets']) != 1)}. Weights: {subject['checkpoint']}"
        + (f" ({', '.join(options)})." if options else "."),
        f"Median time an image: {times} (all its objects).",
    ]


def _settings(results: Results) -> dict[str, object]:
    return {key: results[key] for key in ("command", "subject", "protocol", "data")}


def _html(table: Table) -> str:
    note = f"<p>{html.escape(table.note)}</p>" if table.note else ""
    body = page.table(table.head, table.rows, table.strong)
    return f"<h2>{html.escape(table.title)}</h2>{body}{note}"


def _cases(records: Sequence[Record], samples: Sequence[Sample]) -> list[str]:
    """The worst and the best masks of each data set."""
    prompt = next(name for name in ("box", "point", "click1") if name in records[0]["answers"])
    sample_of = {sample.name: sample for sample in samples}
    words = {"box": "box prompts", "point": "point prompts", "click1": "the first click"}[prompt]
    parts = [
        f"<h2>Worst and best, {words}</h2>",
        "<p>Tint and solid line: predicted mask. White dashes: the true outline. Not a medical device.</p>",
    ]
    for dataset in dict.fromkeys(record["dataset"] for record in records):
        found = [
            (record["answers"][prompt]["iou"][i], number, i)
            for number, record in enumerate(records)
            if record["dataset"] == dataset
            for i in range(len(record["truth"]))
        ]
        found.sort()
        shown = {"worst": found[:_WORST], "best": found[_WORST:][::-1][:_BEST]}
        for name, cases in shown.items():
            if cases:
                figures = [
                    _figure(records[number], sample_of[records[number]["name"]], i, prompt)
                    for _, number, i in cases
                ]
                parts.append(f"<h3>{html.escape(dataset)}: {name}</h3>{page.grid(figures)}")
    return parts


def _figure(record: Record, sample: Sample, i: int, prompt: str) -> str:
    answer, size = record["answers"][prompt], tuple(record["size"])
    masks = [
        coco.decode({"size": list(size), "counts": counts}, size, sample.name)
        for counts in (answer["masks"][i], record["truth"][i])
    ]
    box = np.array(record["boxes"][i]) if prompt == "box" else None
    point = None
    if box is None:
        point = np.array(record["points"][i] if prompt == "point" else record["clicks"][i][0][:2])
    image = read_image(sample.item.path)
    drawn = overlay(image, masks[:1], truth=masks[1:], boxes=[box], points=[point])
    scale = _SIDE / max(drawn.shape[:2])
    if scale < 1:
        drawn = cv2.resize(drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    scores = (
        f"IoU {answer['iou'][i]:.2f}, predicted {answer['scores'][i]:.2f}, HD95 {answer['hd95'][i]:.0f} px"
    )
    return page.picture(drawn, f"{record['name']}: {scores}")
