"""Texts that come from files, such as class and file names, in a form that is safe to show.

Data keep the original; what is shown in a log, a table or an image goes through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 200
"""Characters of a name that are shown."""

_LONGEST_LINE = 2000

# Controls, and what turns, hides or splits text; the joiners of scripts and emoji are left.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def one_line(text: object, longest: int = LONGEST) -> str:
    """Format a name as one line: control characters as escapes, the middle of a long one cut."""
    return _UNSAFE.sub(_escape, _cut(str(text), longest))


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known word that a misspelt one is nearest to, if any is near.

    Args:
        word: as it was given; of a long one the beginning is compared.
        known: words to choose from.
        cutoff: similarity of 0 to 1 that is near enough.
    """
    return next(iter(get_close_matches(word[:LONGEST], list(known), n=1, cutoff=cutoff)), None)


def log_text(message: str) -> str:
    """Format a log message: control characters as escapes, lines of at most 2,000 characters.

    A line break stays where the next line is empty or indented by two blanks, as those of tables
    are; any other is an escape, so that no text from a file looks like a line of the log.
    """
    first, *others = message.split("\n")
    lines = [first]
    for line in others:
        if line and not line.startswith("  "):
            lines[-1] += f"\n{line}"
        else:
            lines.append(line)
    return "\n".join(one_line(line, _LONGEST_LINE) for line in lines)


def indented(text: str) -> str:
    """Indent every line by two blanks, for :func:`log_text`."""
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))


def drawable(text: str) -> str:
    """Replace what OpenCV cannot draw by ``?``, as it does itself with characters without a glyph.

    A surrogate alone would crash it.
    """
    return _UNSAFE.sub("?", _cut(text, LONGEST))


def csv_text(text: str, guard: bool = True) -> str:
    """Format a name as a cell of a CSV table.

    Args:
        text: the name. Surrogates, which UTF-8 does not have, become escapes.
        guard: put ``'`` in front of a text that a spreadsheet would take for a formula.
    """
    text = text.encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if guard and text.lstrip(" ").startswith(_FORMULA) else text


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[: longest * 3 // 4 - 5]} ... {text[len(text) - longest // 4 :]}"


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
