"""The catalogue: every set of the review and later ones, with license, source and both tiers; its search."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ultrasam.converters import ConverterError, catalog, catalog_page, names
from ultrasam.converters.engine import sonodqs
from ultrasam.converters.engine.types import Card
from ultrasam.converters.review import ROWS

from ultrasam.cli.main import main

REVIEW = Path(__file__).parents[3] / "shared/datasets/review72.csv"
LATER = {
    "cdnet",
    "rvenet",
    "testicul_us",
    "pleural_line",
    "fla_net",
    "busc",
    "echopilot",
    "u2_bench",
    "ud_tn",
}


def test_every_set_of_the_review_and_the_later_ones_has_a_card_with_license_and_source():
    found = {entry.name: entry for entry in catalog.entries()}
    assert [row.number for row in ROWS] == list(range(1, 73))
    assert {name for row in ROWS for name in row.ids} | LATER | set(names()) <= set(found)
    assert len(found) == len(catalog.entries()) >= 72 + len(LATER)
    for entry in found.values():
        assert entry.card.title and entry.card.organ and entry.card.anatomy and entry.card.annotation
        assert entry.license.strip() and entry.source.strip(), entry.name
        assert entry.card.license or entry.license == "not stated"
        assert entry.converter == (entry.name in names())
        assert entry.converter or entry.card.quirks or not entry.masks, (
            f"{entry.name}: masks, and no word why"
        )
    assert found["camus"].license == "CC BY-NC-SA 4.0" and not found["camus"].card.commercial


def test_the_rows_are_those_of_the_review():
    if not REVIEW.is_file():
        pytest.skip(f"the review's table is not at hand ({REVIEW})")
    with REVIEW.open(encoding="utf-8") as file:
        printed = list(csv.DictReader(file))
    assert len(printed) == len(ROWS)
    for row, line in zip(ROWS, printed, strict=True):
        squeezed = [name.replace(" ", "").replace("-", "") for name in (row.name, line["name"])]
        assert squeezed[0] == squeezed[1]
        assert (str(row.size or "?"), row.tier) == (line["size"], line["sonodqs"].lower())
        assert {"open": "OA", "request": "AR"}[row.access] == line["access"]
        if line["our_id"] != "-":
            assert set(line["our_id"].replace(" (same source)", "").split(" / ")) == set(row.ids)


def test_sonodqs_is_the_share_of_the_weight_that_is_filled():
    assert sonodqs.TOTAL == 2 * 14 + 20 == 48
    bare = Card(title="a", annotation="boxes", organ="liver")
    # name, task and access weigh two, the technique one.
    assert sonodqs.points(bare) == 7 and sonodqs.score(bare) == 7 / 48
    fuller = Card(
        title="a", link="b", anatomy="c", images=3, license="CC BY 4.0", tree="x", facts={"years": "2020"}
    )
    # name, link, anatomy, total, task, access, multimodal, years; technique, usage, B-mode.
    assert sonodqs.points(fuller) == 2 * 8 + 3
    assert sonodqs.points(Card(title="a", facts={"years": "not stated"})) == sonodqs.points(Card(title="a"))
    assert [sonodqs.tier(v) for v in (0.9, 0.77, 0.7, 0.6, 0.5, 0.4, 0.1)] == [
        "diamond",
        "platinum",
        "gold",
        "silver",
        "bronze",
        "steel",
        "unrated",
    ]


def test_what_lies_between_our_tier_and_the_reviews():
    card = Card(title="a", link="b", anatomy="c", images=3, license="CC BY", tree="x", facts={"years": "1"})
    assert sonodqs.tier(sonodqs.score(card)) == "steel"  # 19 of 48
    assert sonodqs.compare(card, "steel") == "the same tier"
    # Bronze begins at 0.45, 21.6 of 48.
    assert sonodqs.compare(card, "bronze").startswith("3 of 48 points short, in mode, split_sizes, geography")
    rich = Card(title="a", facts=dict.fromkeys((*sonodqs.IMPORTANT, *sonodqs.MINOR), "yes"))
    # Below gold's 0.67 are at most 32 of 48 points.
    assert sonodqs.compare(rich, "silver") == "the review filled at most 32 of 48 points, this card fills 48"


def test_the_list_is_chosen_from_and_sorted(capsys):
    def listed(*words):
        assert main(["convert", "list", *words]) == 0
        lines = capsys.readouterr().out.splitlines()
        return [line.split()[0] for line in lines[1:] if line[:1].isalpha()]

    thyroid = ["ddti", "segthy", "tg3k", "thyroid_us_cineclip", "tn3k", "tnscui"]
    assert sorted(listed("--organ", "thyroid", "--masks")) == thyroid
    by_score = listed("--organ", "thyroid", "--masks", "--sort", "sonodqs")
    scores = [catalog.entry(name).sonodqs for name in by_score]
    assert sorted(by_score) == thyroid and scores == sorted(scores, reverse=True)
    kidney = listed("--organ", "kidney", "--licence", "open", "--masks")
    assert kidney == ["kidney_us"] and listed("--organ", "kidney", "--licence", "commercial", "--masks") == []
    assert main(["convert", "list", "--organ", "thyroid", "--masks", "--licence", "open"]) == 0
    assert "6 others fit, but no license" in capsys.readouterr().out
    assert set(listed("--licence", "commercial")) < set(listed("--licence", "open")) < set(listed())
    assert listed("--sort", "images")[0] == "mimic_iv_echo"
    assert main(["convert", "list", "--organ", "wing"]) == 2
    assert "no data set shows 'wing'; there are" in capsys.readouterr().err
    with pytest.raises(ConverterError, match="no order 'size'"):
        catalog.select(sort="size")


def test_info_says_both_tiers_and_why_a_set_is_not_converted(capsys):
    assert main(["convert", "info", "hc18"]) == 0
    assert "(gold), by what this card knows; the review prints bronze" in capsys.readouterr().out
    assert main(["convert", "info", "unity"]) == 0
    text = capsys.readouterr().out
    assert "not converted here" in text and "forbids derived works" in text
    assert main(["convert", "unity", "--raw", "x", "--out", "y"]) == 2
    assert "is not converted: its annotation is curves" in capsys.readouterr().err
    assert main(["convert", "info", "nothing"]) == 2


class Page(HTMLParser):
    """Rows of the table, their attributes, and whatever would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.fetched = [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "tr" and "data-organ" in values:
            self.rows.append(values)
        if tag in ("link", "img", "iframe", "object", "source", "base") or "src" in values:
            self.fetched.append((tag, attrs))


def test_the_page_has_all_and_fetches_nothing():
    page = Page()
    page.feed(catalog_page.page())
    assert page.fetched == [] and "import" not in catalog_page.SCRIPT and "url(" not in catalog_page.HEAD
    chosen = [r for r in page.rows if r["data-organ"] == "thyroid" and r["data-masks"] == "yes"]
    assert len(page.rows) == len(catalog.entries()) and len(chosen) == 6
    commercial = [r for r in page.rows if "commercial" in r["data-license"].split()]
    assert len(commercial) == sum(e.card.commercial for e in catalog.entries())
