"""Pages hold what they are given, as valid XML where they draw, and nothing that a name could break."""

import base64
import re
import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np
import pytest
from markdown_it import MarkdownIt

from ultrasam.data.images import write_image
from ultrasam.report import page as webpage
from ultrasam.report.audit_page import write_audit_page
from ultrasam.report.draw import beside
from ultrasam.report.plot import Line, curve, plot
from ultrasam.report.table import Table, fenced

SVG = "{http://www.w3.org/2000/svg}"


def test_a_plot_puts_points_where_they_belong():
    svg = plot("a & <b>", [Line("one", [(0, 0), (1, 1), (2, 0.5)]), Line("two", [(0, 1), (2, 0)], True)])
    root = ElementTree.fromstring(svg)
    first, second = (
        [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
        for line in root.iter(f"{SVG}polyline")
    )
    (x0, y0), (x1, y1), (x2, y2) = first
    assert x1 - x0 == x2 - x1 > 0 and y1 < y2 < y0 and abs((y0 + y1) / 2 - y2) < 0.11
    assert second == [(x0, y1), (x2, y0)]
    dashed = [line.get("stroke-dasharray") for line in root.iter(f"{SVG}polyline")]
    assert dashed[0] is None and dashed[1]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"a & <b>", "one", "two", "0.6"} <= set(texts)


def test_small_differences_are_drawn_small():
    lines = [Line("", [(0, 0.900), (1, 0.901)])]

    def extent(svg):
        points = re.search(r"points='([^']+)'", svg).group(1).split()
        heights = [float(point.split(",")[1]) for point in points]
        return max(heights) - min(heights)

    assert extent(plot("", lines, least=0.2)) < 3 < 20 < extent(plot("", lines))


def test_values_that_cannot_be_drawn():
    assert plot("", []) == plot("", [Line("", [(1, float("nan"))])]) == curve("", []) == ""
    for points in ([(3, 7)], [(1, 0), (2, 0)], [(0, -5), (1, float("inf")), (2, 5)]):
        ElementTree.fromstring(plot("t", [Line("", points)]))


def test_an_axis_of_zeros_has_round_numbers():
    root = ElementTree.fromstring(curve("mAP", [(6, 0.0), (12, 0.0)]))
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert texts == {"mAP, last 0", "0", "0.2", "6", "12", "step"}


@pytest.fixture
def table():
    rows = [["a<b", "x|y", "1.5"], ["c", "", "-"], ["dd", "z", "+20.0 %"]]
    return Table("A & B", ["", "name", "score"], rows, strong=[1], note="1 < 2")


def test_a_table_on_a_page(table):
    html = table.html()
    root = ElementTree.fromstring(f"<x>{html}</x>")
    assert root.find("h2").text == "A & B" and root.find("p").text == "1 < 2"
    head, *rows = root.iter("tr")
    assert [[cell.text or "" for cell in row] for row in rows] == table.rows
    assert [row.get("class") for row in rows] == [None, "strong", None]
    # Words to the left, columns of numbers to the right.
    for row in (head, *rows):
        assert [cell.get("class") for cell in row] == ["text", "text", None]


def test_a_table_in_markdown_and_in_a_terminal(table):
    assert table.markdown().splitlines() == [
        "### A &amp; B",
        "",
        "|  | name | score |",
        "|---|---|---|",
        "| a&lt;b | x\\|y | 1.5 |",
        "| c |  | - |",
        "| dd | z | +20.0 % |",
        "",
        "1 &lt; 2",
    ]
    assert table.text().splitlines() == [
        "A & B",
        "     name    score",
        "a<b   x|y      1.5",
        "c                -",
        "dd      z  +20.0 %",
        "1 < 2",
    ]


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "![a](http://b/c)",
     "`a` *b*", "<!-- a", "a\n\n<b>", "a\n| c |", "&lt;", "```\n<b>", "\\<b>", "<http://b>"],
)  # fmt: skip
def test_no_name_becomes_markup_in_markdown(name):
    markdown = Table(name, [name, "b"], [[name, name], ["1", "2"]], note=name).markdown()
    tokens = MarkdownIt("commonmark").enable("table").parse(f"{markdown}\n\n{fenced(name)}")
    inner = [child for token in tokens for child in token.children or []]
    kinds = {token.type for token in (*tokens, *inner)}
    assert not kinds & {"html_inline", "html_block", "link_open", "image", "em_open", "code_inline"}

    one_line = " ".join(name.split())
    texts = ["".join(child.content for child in token.children) for token in tokens if token.type == "inline"]
    assert texts == [one_line, one_line, "b", one_line, one_line, "1", "2", one_line]
    assert tokens[-1].content == f"{name}\n"


def test_a_page_says_what_it_is(table, tmp_path):
    parts = [table, webpage.paragraph("<script>"), webpage.curves([curve("loss", [(1, 2), (2, 1)])])]
    path = webpage.write_page(tmp_path / "x.html", "One & <two>", parts, {"image": "</pre>"})
    text = path.read_text(encoding="utf-8")
    assert "<title>One &amp; &lt;two&gt;</title>" in text and "<h1>One &amp; &lt;two&gt;</h1>" in text
    assert "<script" not in text and text.count("</pre>") == 1 and "&lt;/pre&gt;" in text
    assert "Not a medical device." in text
    # Readable on a phone and in the dark.
    assert "width=device-width" in text and "color-scheme: light dark" in text
    style = text[text.index("<style>") : text.index("</style>")]
    assert style.count("{") == style.count("}")


def pictures(html):
    for source in re.findall(r"src='data:image/jpeg;base64,([^']+)'", html):
        yield cv2.imdecode(np.frombuffer(base64.b64decode(source), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def test_pictures_survive_names_and_are_shrunk(tmp_path):
    image = np.full((40, 60, 3), (200, 30, 90), np.uint8)
    figure = webpage.picture(image, "it's <here>")
    (found,) = pictures(figure)
    assert found.shape == image.shape and np.abs(found.astype(int) - image).max() < 8
    assert "it&#x27;s &lt;here&gt;" in figure
    write_image(tmp_path / "wide.png", np.repeat(np.repeat(image, 30, 0), 30, 1))
    for kind, width in (("", 440), ("pairs", 720)):
        (found,) = pictures(webpage.gallery([tmp_path / "wide.png"], kind))
        assert found.shape == (width * 40 // 60, width, 3)
        assert np.abs(found.mean(axis=(0, 1)) - image[0, 0]).max() < 4


def test_pictures_beside_each_other_have_titles():
    left, right = (np.full((100, 200, 3), value, np.uint8) for value in (50, 150))
    both = beside([left, right], ["before", "after"])
    strip = both.shape[0] - 100
    assert both.shape[1] == 400 and strip > 10
    assert (both[strip:, :200] == 50).all() and (both[strip:, 200:] == 150).all()
    # White letters on black, in the left part of each title.
    for x in (0, 200):
        assert both[:strip, x : x + 100].max() > 200 and both[:strip, x + 150 : x + 200].max() == 0


def test_an_audit_without_findings_says_what_was_checked(tmp_path):
    findings = {"checked": {"one": {"val": 2, "train": 38}, "two": {"": 5}}}
    findings |= {"pairs": [], "subjects_on_two_sides": [], "unreadable": [], "drop": []}
    text = write_audit_page(tmp_path / "audit.html", findings, {}).read_text()
    assert "Checked: 45 images" in text and "Nothing was found" in text and "<img" not in text
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    cells = [re.sub(r"<[^>]+>", " ", row).split() for row in rows]
    assert cells[1:] == [["one", "38", "2", "0"], ["two", "0", "0", "5"]]


def test_an_audit_shows_all_that_it_found(tmp_path):
    files = {}
    for number, (dataset, value) in enumerate((("one", 60), ("two", 180))):
        path = tmp_path / f"{dataset}.png"
        write_image(path, np.full((30, 40, 3), value, np.uint8))
        files[dataset, f"{number}.png"] = path
    ends = [
        {"dataset": dataset, "file_name": name, "split": split}
        for (dataset, name), split in zip(files, ("train", ""), strict=True)
    ]
    pair = {"first": ends[0], "second": ends[1], "score": 0.9123, "mirrored": "horizontal"}
    findings = {"checked": {"one": {"train": 1}, "two": {"": 1}}, "pairs": [pair] * 70}
    findings |= {"subjects_on_two_sides": ["one: subject <p> is in train, val"], "unreadable": ["x.png"]}
    text = write_audit_page(tmp_path / "audit.html", findings, files).read_text()
    shown = list(pictures(text))
    assert [round(float(image.mean())) for image in shown[:2]] == [60, 180] and len(shown) == 2 * 60
    assert "70 near-duplicate pairs" in text and "The 60 that agree best." in text
    assert "agreement 0.912, mirrored: horizontal" in text and "one, train: 0.png" in text
    assert "1 subjects in two splits" in text and "subject &lt;p&gt; is" in text and "x.png" in text
    assert "Nothing was found" not in text
