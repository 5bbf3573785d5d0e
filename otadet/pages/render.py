"""From a template and values to one HTML file that loads nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from otadet.texts import one_line

_SCRIPTS = ("page.js", "charts.js", "pairs.js")
_HERE = Path(__file__).parent


def render_page(template: Path, **values: Any) -> str:
    """Render a template with the style, scripts and parts of all pages.

    Everything is escaped; a name that ``values`` lacks is an error.

    Args:
        template: a file that extends ``base.html.j2``.
        values: what it names.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["one_line"] = one_line
    return environment.get_template(template.name).render(
        style=_source("style.css"), scripts=[_source(name) for name in _SCRIPTS], **values
    )


def is_page(path: Path) -> bool:
    """Whether a file is a page of otadet."""
    with path.open("rb") as file:
        return b'<meta name="generator" content="otadet">' in file.read(1000)


def _source(name: str) -> Markup:
    """A file of this package, which is code and not text to be escaped."""
    return Markup((_HERE / name).read_text(encoding="utf-8"))
