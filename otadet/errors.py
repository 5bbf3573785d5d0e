"""The one exception that speaks to the user."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave is wrong: a file, a setting, an option.

    Its message is one clear line: what is wrong, what was expected, what came, and where (file,
    image id, key). Tools print that line without a traceback and exit with code 2.
    """
