"""A real viewer on a screen in memory: napari draws with OpenGL, which Qt's own offscreen screen has not."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("napari", reason="napari (extra 'napari') is not installed")
_PROBE = "from qtpy.QtWidgets import QApplication; QApplication([])"


@pytest.fixture(scope="session")
def screen():
    """A screen of Xvfb; another process tries whether Qt starts, since Qt ends its process where not."""
    try:
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no Xvfb (Debian's xvfb)")
    try:
        # No settings of napari's are read or kept.
        changed = {
            "DISPLAY": f":{server.stdout.readline().strip()}",
            "QT_QPA_PLATFORM": "xcb",
            "NAPARI_CONFIG": "",
        }
        os.environ.update(changed)
        tried = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True)
        if tried.returncode != 0:
            pytest.skip(f"Qt does not start, a library may be missing: {tried.stderr[-300:]}")
        yield
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


@pytest.fixture(scope="session")
def window(screen):
    import napari

    viewer = napari.Viewer(show=False)
    yield viewer
    viewer.close()


@pytest.fixture
def viewer(window):
    """Empty again after each test: a window takes a second to open and close."""
    yield window
    window.window.remove_dock_widget("all")
    window.layers.clear()
