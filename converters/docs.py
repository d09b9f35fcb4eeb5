"""Writes `docs/datasets.md` from the cards: `python -m converters.docs`."""

from __future__ import annotations

from pathlib import Path

from . import registry
from .engine.cards import details, table

PAGE = Path(__file__).parent.parent / "docs/datasets.md"
INTRO = """# Data sets

<!-- Generated from the cards by `python -m converters.docs`; edit converters/datasets/*.py instead. -->

{count} public ultrasound data sets, one command each:

```
ultrasam convert list                            # what there is
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

The SonoDQS tier rates how completely a data set is described, by what its card knows here, and not how
good its images are; `?` and `not stated` mean that no source says.
"""


def page() -> str:
    """The page of all data sets."""
    datasets = [registry.get(name) for name in registry.names()]
    intro = INTRO.format(count=len(datasets))
    return f"{intro}\n{table(datasets)}\n\n## One by one\n\n{details(datasets)}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
