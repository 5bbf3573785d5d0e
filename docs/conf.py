"""The documentation site: ``make docs``.

The source is the whole repository, so that the pages link to one another as they do on GitHub,
README and CONTRIBUTING included. API pages come from the docstrings.
"""

import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from otadet import __version__  # noqa: E402

project = "otadet"
release = version = __version__
copyright = "the authors of otadet, Apache-2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "README"
include_patterns = [
    "*.md", "docs/*.md", "docs/api/*.rst", "datasets/README.md", "demo/*/README.md",
]  # fmt: skip
exclude_patterns = [
    ".*",
    "build",
    "runs",
    "datasets/[!R]*",
    "demo/web/node_modules",
    "otadet",
    "tests",
]
templates_path = ["_templates"]

myst_heading_anchors = 4
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_use_unqualified_type_names = True
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"otadet {release}"
html_additional_pages = {"index": "index.html"}
html_copy_source = False

CONTENTS = """

```{toctree}
:hidden:
:caption: To do

docs/auto
docs/training
docs/finetuning
docs/weights
docs/inspect
docs/detecting
docs/tta
docs/compare
docs/deploy
demo/onnxruntime/README
demo/cpp/README
demo/web/README
docs/scaling
docs/troubleshooting
docs/coming_from
```

```{toctree}
:hidden:
:caption: To understand

docs/assignment
docs/crowds
docs/results
docs/yolox
docs/design
CONTRIBUTING
```

```{toctree}
:hidden:
:caption: To look up

docs/api/index
docs/experiments
docs/evaluation
docs/report
datasets/README
docs/doctor
SECURITY
CHANGELOG
```
"""
"""The menu. Added to README here, since GitHub would show it as code."""


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Append the menu to README."""
    if name == root_doc:
        source[0] += CONTENTS


def setup(app: Sphinx) -> None:
    """Register the hook."""
    app.connect("source-read", add_contents)
