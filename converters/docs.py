"""Writes `docs/datasets.md` and `docs/catalog.html` from the cards: `python -m converters.docs`."""

from __future__ import annotations

from pathlib import Path

from . import catalog, catalog_page, registry
from .engine.cards import details
from .engine.sonodqs import compare, tier

PAGE = Path(__file__).parent.parent / "docs/datasets.md"
CATALOG = PAGE.with_name("catalog.html")
INTRO = """# Data sets

<!-- Generated from the cards by `python -m converters.docs`; edit converters/datasets/*.py instead. -->

{count} public ultrasound data sets are converted, one command each; {all} are known, those without masks too:

```
ultrasam convert list                            # what there is
ultrasam convert list --organ thyroid --masks --licence open --sort sonodqs
ultrasam convert info busi                       # how to get it, the tree that is expected, traps
ultrasam convert busi --raw RAW/busi --out DATA  # a folder or the archive as downloaded
ultrasam convert all --raw-root RAW --out DATA   # RAW/<id> for each
ultrasam data merge --root DATA --out DATA/us43d --min-area 10
ultrasam data audit --root DATA --out DATA/audit
```

Each data set becomes `DATA/<id>/images/*.png` and `DATA/<id>/annotations/{{all,train,val,test}}.json` with
its own categories, beside `*.agnostic.json` with the one category `object`. Splits are by subject,
official ones are kept; a subject of an official test part never trains. What is left out is counted in
`DATA/<id>/report.json`. The license of each data set stays in force for what is made from it.

`--keep-empty` keeps images on which nothing is to be marked; frames that nobody annotated stay out, and the
report says how many. A data set with a validation part of its own leaves `--val` aside and says so.

[catalog.html](catalog.html) is a table of all that are known, with a field to search it; it needs no network.

The SonoDQS tier rates how completely a data set is described, by what its card knows here, and not how
good its images are; the tier behind it is what the review of 72 sets prints (Alsharid et al., npj Digital
Medicine 2025). `?` and `not stated` mean that no source says.
"""
COMPARED = """## Tiers here and in the review

{same} tiers agree, {other} do not. The review prints tiers and not which characteristics it found, so the
cause can be narrowed down only this far: which facts no card here has, or how many fewer the review must have
had. That there is no text beside the images is a fact too, worth two points: it fills `multimodal`.
"""


def page() -> str:
    """The page of the data sets that are converted."""
    datasets = [registry.get(name) for name in registry.names()]
    intro = INTRO.format(count=len(datasets), all=len(catalog.entries()))
    return f"{intro}\n{table()}\n\n{compared()}\n\n## One by one\n\n{details(datasets)}\n"


def table() -> str:
    """One line a data set that is converted."""
    columns = ("id", "data set", "anatomy", "images", "license", "access", "commercial", "SonoDQS")
    rows = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for e in catalog.entries():
        if e.converter:
            card = e.card
            cells = (
                f"`{e.name}`",
                f"[{card.title}]({card.link})",
                card.anatomy,
                f"{card.images:,}" if card.images else "?",
                e.license,
                card.access,
                "yes" if card.commercial else "no",
                e.tiers,
            )
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def compared() -> str:
    """Where the tier is another than the review's, and what it hangs on."""
    rows = ["| id | here | review | what lies between |\n|---|---|---|---|"]
    same = 0
    for e in catalog.entries():
        if e.converter and e.row:
            own = tier(e.sonodqs)
            same += own == e.row.tier
            if own != e.row.tier:
                cells = (f"`{e.name}`", f"{own} {e.sonodqs:.2f}", e.row.tier, compare(e.card, e.row.tier))
                rows.append("| " + " | ".join(cells) + " |")
    return COMPARED.format(same=same, other=len(rows) - 1) + "\n" + "\n".join(rows)


def main() -> None:
    """Write both pages."""
    PAGE.write_text(page(), encoding="utf-8")
    CATALOG.write_text(catalog_page.page(), encoding="utf-8")


if __name__ == "__main__":
    main()
