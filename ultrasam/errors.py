"""Errors a user can mend. The command line prints them in a line or two, without a traceback."""


class UltraSamError(Exception):
    """Something the user gave is wrong; the message says what, where, and what to do."""


class DataError(UltraSamError):
    """An image, annotation or COCO file is unreadable or inconsistent."""


class OutputError(UltraSamError):
    """A result cannot be written: there is no room, or no permission. Going on with other files is no use."""


class PromptError(UltraSamError, ValueError):
    """A point, box or mask prompt has a wrong shape, value or image index."""


class CheckpointError(UltraSamError):
    """A weight file is unreadable or belongs to another architecture."""


class ConfigError(UltraSamError):
    """A configuration names something that does not exist or does not fit together."""


class Interrupted(UltraSamError):
    """A queue asked to stop; what was done is kept, and the message says how to go on.

    Commands end with `EXIT_CODE`, by which a queue knows that the same command has to run again.
    """

    EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h
