"""Work in a process of its own: values come back, and errors with the words a user can mend them by."""

import os
import signal

import pytest

from ultrasam.errors import DataError, UltraSamError
from ultrasam.machine.child import in_child


def add(a, b=0):
    return a + b, os.getpid()


def wrapped(message):
    try:
        raise DataError(message)
    except DataError as error:
        raise RuntimeError("in a library") from error


def plainly(message):
    raise DataError(message)


def bug():
    raise ValueError("a bug")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def test_values_come_back_from_another_process():
    total, process = in_child(add, 2, b=3)
    assert total == 5 and process != os.getpid()


def test_errors_come_back():
    with pytest.raises(DataError, match=r"^a\.png is broken$"):
        in_child(plainly, "a.png is broken")
    with pytest.raises(UltraSamError, match=r"^a\.png is broken$"):
        in_child(wrapped, "a.png is broken")
    with pytest.raises(ValueError, match="a bug"):
        in_child(bug)
    with pytest.raises(UltraSamError, match="'killed' was killed"):
        in_child(killed)
