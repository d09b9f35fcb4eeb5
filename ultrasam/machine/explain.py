"""Which errors a user can mend, and what to tell them."""

from __future__ import annotations

import errno

from ultrasam.errors import UltraSamError
from ultrasam.machine import extras

#: The disk, a user's share of it, or the largest file allowed is full.
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: A folder where a file belongs, a file where a folder does, no permission, a name too long.
_WRONG_PLACE = (
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENAMETOOLONG, errno.ELOOP),
)


def explanation(error: BaseException | None) -> str | None:
    """The message of an error that a user can mend, also where a worker process or a library wrapped it.

    Returns:
        None for all other errors, which are bugs.
    """
    while error is not None:
        # By name: the converters know nothing of this package, and need not be imported to find out.
        if isinstance(error, UltraSamError) or "ConverterError" in {c.__name__ for c in type(error).__mro__}:
            # A data loader's worker sends its whole traceback; its last line is the message.
            return (
                str(error).split("Error: ")[-1].strip() if "Original Traceback" in str(error) else str(error)
            )
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            return f"cannot write {error.filename or 'a file'}: {error.strerror}"
        if isinstance(error, OSError) and error.errno in _WRONG_PLACE and error.filename:
            return f"cannot use {error.filename}: {error.strerror}"
        if isinstance(error, ImportError) and (message := extras.advice(error)):
            return message
        error = error.__cause__ or error.__context__
    return None
