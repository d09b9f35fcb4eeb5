"""How long from a click to the painted mask, to the next image, to the whole page: in a real browser.

``python -m tests.long.annotate_latency`` takes a minute. It exits with 1 where a bar is missed. The server
runs in a process of its own, as the command does, with the small model.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.kit.annotator import browser_path, chromium
from ultrasam.data import images
from ultrasam.phantom import simulate

#: (height, width) of the images, how many there are, and how many clicks are measured.
SIZE, IMAGES, CLICKS = (600, 800), 8, 100
#: Milliseconds: median and 95th percentile of clicks, the next image, the page.
BARS = {"click, median": 80.0, "click, 95 %": 150.0, "next image, median": 150.0, "page": 1000.0}

# From the press of the button to the moment that the browser has made the frame of the screen with the mask:
# the page says within that frame when it has drawn a revision, and a message sent then comes after it.
_WATCH = """() => {
  window.times = [];
  let pressed = null;
  addEventListener("pointerdown", (event) => (pressed = event.timeStamp), true);
  addEventListener("keydown", (event) => (pressed = event.timeStamp), true);
  addEventListener("ultrasam:painted", (event) => {
    if (pressed === null || event.detail === null) return;
    const from = pressed;
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.times.push([event.detail, performance.now() - from]);
    channel.port2.postMessage(null);
  });
}"""

# The page's policy forbids what Playwright's own waiting needs.
_FIRST = """() => new Promise((found) => {
  const look = () => (window.times.length ? found(window.times[0][1]) : setTimeout(look, 5));
  look();
})"""


def write_images(folder: Path) -> None:
    """Simulated scans of the size that is measured."""
    for number in range(IMAGES):
        picture = images.as_rgb(simulate(5, number, size=max(SIZE)).image)[: SIZE[0], : SIZE[1]]
        images.write_image(folder / f"scan_{number:02d}.png", picture)


def measured(page: Any, act: Any) -> float:
    """Milliseconds from an act to what it paints."""
    page.evaluate("window.times.length = 0")
    act()
    return float(page.evaluate(_FIRST))


def clicks(page: Any) -> list[float]:
    """Clicks at places all over several images: first ones of objects and, every third, corrections."""
    rng = np.random.default_rng(0)
    found: list[float] = []
    area = page.evaluate(
        """async () => {
          const { view } = await import("/static/view.js");
          const { left, top } = document.getElementById("overlay").getBoundingClientRect();
          return [left + view.x, top + view.y, view.imageWidth * view.scale, view.imageHeight * view.scale];
        }"""
    )
    for number in range(CLICKS):
        x, y = rng.uniform(0.1, 0.9, 2) * area[2:] + area[:2]
        if number % 3 != 2:
            page.keyboard.press("n")
        page.mouse.move(x, y)
        page.wait_for_timeout(rng.uniform(120, 300))
        outside = number % 3 == 2
        found.append(measured(page, lambda: page.mouse.click(x, y, button="right" if outside else "left")))  # noqa: B023
        if number % 9 == 8:
            page.keyboard.press("Shift+Delete")
            page.wait_for_timeout(150)
    return found


def next_images(page: Any) -> list[float]:
    """From the key to the next image with its objects, a second after the one before."""
    found = []
    for _ in range(IMAGES - 1):
        page.wait_for_timeout(1000)
        found.append(measured(page, lambda: page.keyboard.press("PageDown")))
    return found


def page_load(browser: Any, address: str) -> float:
    """From the address to the first image, in a browser that has nothing of the page yet."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    time = float(page.evaluate("performance.getEntriesByName('ultrasam:ready')[0].startTime"))
    page.context.close()
    return time


def main() -> int:
    """Measure, print, compare with the bars."""
    if browser_path() is None:
        print("no Chromium on this machine")
        return 1
    with tempfile.TemporaryDirectory() as name:
        write_images(Path(name))
        command = [
            sys.executable,
            "-m",
            "ultrasam",
            "annotate",
            name,
            "--no-browser",
            "--cache",
            f"{name}/.cache",
        ]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = next(line.split()[1] for line in server.stdout if line.startswith("open "))
            with chromium() as browser:
                page = browser.new_page(viewport={"width": 1280, "height": 720})
                page.goto(address)
                page.wait_for_selector("html[data-ready]")
                page.wait_for_timeout(2000)
                page.evaluate(_WATCH)
                clicked = clicks(page)
                turned = next_images(page)
                loads = [page_load(browser, address) for _ in range(5)]
        finally:
            server.terminate()
            server.wait()
    figures = {
        "click, median": float(np.median(clicked)),
        "click, 95 %": float(np.percentile(clicked, 95)),
        "next image, median": float(np.median(turned)),
        "page": float(np.median(loads)),
    }
    for what, value in figures.items():
        print(
            f"{what:20} {value:7.0f} ms   bar {BARS[what]:5.0f}   {'ok' if value <= BARS[what] else 'MISSED'}"
        )
    print(f"click, longest       {max(clicked):7.0f} ms; next image {max(turned):.0f} ms")
    return int(any(value > BARS[what] for what, value in figures.items()))


if __name__ == "__main__":
    sys.exit(main())
