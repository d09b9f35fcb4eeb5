"""Pages hold what they are given, as valid XML where they draw, and nothing that a name could break."""

import base64
import re
import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np

from ultrasam.report import page as webpage
from ultrasam.report.plot import Line, plot

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
    assert plot("", []) == plot("", [Line("", [(1, float("nan"))])]) == ""
    for points in ([(3, 7)], [(1, 0), (2, 0)], [(0, -5), (1, float("inf")), (2, 5)]):
        ElementTree.fromstring(plot("t", [Line("", points)]))


def test_tables_and_pictures_survive_names():
    assert "<td>a&lt;b</td>" in webpage.table(["x"], [["a<b"]])
    image = np.full((40, 60, 3), (200, 30, 90), np.uint8)
    figure = webpage.picture(image, "it's <here>")
    source = re.search(r"src='data:image/jpeg;base64,([^']+)'", figure).group(1)
    found = cv2.imdecode(np.frombuffer(base64.b64decode(source), np.uint8), cv2.IMREAD_COLOR)
    assert found.shape == image.shape and np.abs(found[:, :, ::-1].astype(int) - image).max() < 8
    assert "it&#x27;s &lt;here&gt;" in figure
