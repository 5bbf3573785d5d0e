"""A comparison as Markdown."""

from __future__ import annotations

from otadet.compare.result import Comparison
from otadet.compare.wording import Table, headline, how, tables


def as_markdown(result: Comparison) -> str:
    """Write sentences and tables as GitHub's Markdown."""
    parts = [
        f"# {_text(title(result))}",
        f"**{_text(headline(result))}**",
        "\n".join(f"- {_text(note)}" for note in notes(result)),
        *(_table(each) for each in tables(result) if each.rows),
        f"## Method\n\n{how(result)}",
        _text(", ".join(f"{name} {value}" for name, value in result.environment.items())),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def title(result: Comparison) -> str:
    """Return the title: what was compared, and on what."""
    return f"{len(result.methods)} methods on {result.data}"


def notes(result: Comparison) -> list[str]:
    """Return budget, data, limits and failed runs, a line each."""
    seeds = sorted({seed for method in result.methods for seed in method.seeds})
    return [
        f"budget: {result.budget}; {len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}; "
        f"evaluated on {result.images:,} images with {result.objects:,} objects",
        *result.notes,
        *(f"failed: {name}: {reason}" for name, reason in result.failed.items()),
    ]


def _table(table: Table) -> str:
    lines = [table.headers, ("---",) * len(table.headers), *table.rows]
    rows = "\n".join("| " + " | ".join(map(_text, line)) + " |" for line in lines)
    return "\n\n".join(part for part in (f"## {_text(table.title)}", rows, table.note) if part)


def _text(text: str) -> str:
    """Names from outside stay text: no HTML, no new line, no new column."""
    plain = " ".join(text.replace("&", "&amp;").replace("<", "&lt;").split())
    return plain.replace("|", "\\|")
