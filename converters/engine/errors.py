"""What can go wrong with raw data, said so that a user can mend it."""

from __future__ import annotations

from pathlib import Path


class ConverterError(Exception):
    """Something a user can mend: the message names the file and the reason in one or two lines."""


class TreeError(ConverterError):
    """The raw folder is not laid out as the data set's card says."""


class ArchiveError(ConverterError):
    """An archive is broken, unsafe or of a kind that cannot be opened here."""


class CaseError(ConverterError):
    """One case cannot be converted; the others can."""

    def __init__(self, file: str | Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = str(file)
        self.reason = reason

    def __reduce__(self) -> tuple[type[CaseError], tuple[str, str]]:
        """Survive the way back from a worker process."""
        return type(self), (self.file, self.reason)


class ExecutorError(ConverterError):
    """Work can't be spread: an executor is not there, or its workers die."""
