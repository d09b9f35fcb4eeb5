"""An evaluation as files: ``results.json``, ``results.md``, and one HTML page with plots and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ultrasam.data import coco
from ultrasam.data.files import write_text
from ultrasam.data.images import read_image
from ultrasam.evaluate.plots import plots
from ultrasam.evaluate.protocol import Condition
from ultrasam.evaluate.records import Record
from ultrasam.evaluate.results import Results
from ultrasam.evaluate.samples import Sample
from ultrasam.evaluate.tables import comparison, tables
from ultrasam.report import page
from ultrasam.report.draw import LEGEND, overlay
from ultrasam.report.table import as_markdown, fenced

_WORST, _BEST = 6, 3
#: What the pictures may show, in order of preference.
_SHOWN = {
    Condition("box"): "box prompts",
    Condition("point"): "point prompts",
    Condition("click1"): "the first click",
}


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
        results: see `scores.summarize`.
        records: of each image.
        samples: the images, for the pictures.
        others: earlier evaluations to show beside this one, by name.
    """
    results.write(out)
    beside = comparison({**others, results.title: results}) if others else []
    text = [markdown(results), *(["## Beside others\n"] if beside else []), *(t.markdown() for t in beside)]
    write_text(out / "results.md", "\n\n".join(text) + "\n")
    parts: list[page.Part] = [
        *map(page.paragraph, _about(results)),
        page.curves(plots(results, records).values()),
        *tables(results),
        *([page.heading("Beside others")] if beside else []),
        *(table.html(3) for table in beside),
        *_cases(records, samples),
    ]
    return page.write_page(out / "report.html", results.title, parts, _settings(results))


def write_markdown(path: Path, results: Results, records: Sequence[Record]) -> None:
    """The results as a page of the docs: Markdown, and its plots in ``images`` beside it."""
    links = []
    for name, svg in plots(results, records).items():
        file = f"images/{path.stem}-{name}.svg"
        write_text(path.parent / file, svg + "\n")
        links.append(f"![{name}]({file})")
    write_text(path, markdown(results, links) + "\n")


def markdown(results: Results, links: Sequence[str] = ()) -> str:
    """Tables and how they were made."""
    parts = [
        f"# {as_markdown(results.title)}",
        *map(as_markdown, _about(results)),
        *links,
        *(t.markdown() for t in tables(results)),
    ]
    return "\n\n".join([*parts, f"Made with\n\n{fenced(results.command)}"])


def _about(results: Results) -> list[str]:
    subject, overall = results.subject, results.overall
    options = [f"{key}={value}" for key, value in subject.options.items()]
    options += ["published test"] if subject.published else []
    options += ["with a closer look"] if subject.closer else []
    times = ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in overall.seconds.items())
    return [
        f"{overall.objects} objects on {overall.images} images, {len(results.datasets)} data "
        f"set{'s' * (len(results.datasets) != 1)}. Weights: {subject.checkpoint}"
        + (f" ({', '.join(options)})." if options else "."),
        f"Median time an image: {times} (all its objects).",
    ]


def _settings(results: Results) -> dict[str, Any]:
    return {
        "command": results.command,
        "subject": asdict(results.subject),
        "protocol": results.protocol.to_json(),
        "data": results.data,
    }


def _cases(records: Sequence[Record], samples: Sequence[Sample]) -> list[str]:
    """The worst and the best masks of each data set."""
    condition = next(condition for condition in _SHOWN if condition in records[0].answers)
    sample_of = {sample.key: sample for sample in samples}
    parts = [page.heading(f"Worst and best, {_SHOWN[condition]}"), page.paragraph(LEGEND)]
    for dataset in dict.fromkeys(record.dataset for record in records):
        cases = [
            (overlap, number, i)
            for number, record in enumerate(records)
            if record.dataset == dataset
            for i, overlap in enumerate(record.answers[condition].iou)
        ]
        cases.sort()
        for name, some in (("worst", cases[:_WORST]), ("best", cases[_WORST:][::-1][:_BEST])):
            if some:
                figures = [
                    _figure(records[number], sample_of[dataset, records[number].name], i, condition)
                    for _, number, i in some
                ]
                parts += [page.heading(f"{dataset}: {name}", 3), page.grid(figures)]
    return parts


def _figure(record: Record, sample: Sample, i: int, condition: Condition) -> str:
    answer = record.answers[condition]
    mask, target = (coco.decode(m[i], record.size, sample.name) for m in (answer.masks, record.targets))
    if condition.prompt == "box":
        prompt = {"boxes": [record.boxes[i]]}
    else:
        prompt = {"points": [record.points[i] if condition.prompt == "point" else record.clicks[i][0, :2]]}
    drawn = overlay(read_image(sample.item.path), [mask], targets=[target], **prompt)
    scores = f"IoU {answer.iou[i]:.2f}, predicted {answer.scores[i]:.2f}, HD95 {answer.hd95[i]:.0f} px"
    return page.picture(drawn, f"{record.name}: {scores}")
