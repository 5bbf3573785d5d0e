"""The exceptions that speak to the user."""

from __future__ import annotations


class DetectionWarning(UserWarning):
    """Detections may lack objects: the image is shrunk a lot, or a limit cut them off."""


class InputError(ValueError):
    """Something the user gave is wrong: a file, a setting, an option.

    Its message is one clear line: what is wrong, what was expected, what came, and where (file,
    image id, key). Tools print that line without a traceback and exit with code 2.
    """


class NonFiniteError(ValueError):
    """A network's predictions are NaN or infinite; the message names the image."""


class RunError(RuntimeError):
    """A run cannot go on for a reason other than its input: memory, disk, a lost process.

    Its message is one clear line that says what to change. Tools print that line without a
    traceback and exit with code 1; the last checkpoint is whole.
    """


class PeerError(RunError):
    """The other processes of a run no longer answer; one of them knows the cause."""
