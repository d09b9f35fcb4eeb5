"""Work in a process of its own, whose memory and global state end with it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from ultrasam.errors import UltraSamError
from ultrasam.machine.explain import explanation

P = ParamSpec("P")
T = TypeVar("T")


def in_child(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a new process, and return what it returns.

    Args:
        function: one that a module defines; it, its arguments and its result travel pickled.
        args: of the function.
        kwargs: of the function.

    Raises:
        UltraSamError: what the function says is wrong, or that its process was killed.
    """
    # Forked processes of a program that has used torch's threads can hang.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_call, function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            raise UltraSamError(
                f"the process of '{function.__name__}' was killed; the machine's memory may not have sufficed"
            ) from error


def _call(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return function(*args, **kwargs)
    except Exception as error:
        # The causes of an error do not survive the way back.
        message = None if isinstance(error, UltraSamError) else explanation(error)
        if message is None:
            raise
        raise UltraSamError(message) from error
