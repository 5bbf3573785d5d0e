"""Pages that explain something: one HTML file each that loads nothing and opens from disk.

A page's template extends ``base.html.j2`` and takes its parts (figures, histograms, curves, image
pairs) from ``parts.html.j2``; :func:`render_page` fills it in.
"""

from otadet.pages.charts import Chart, Mark, Series
from otadet.pages.figures import Figure, jpeg_base64, shrunk
from otadet.pages.histogram import Bar, Histogram, histogram
from otadet.pages.pairs import ImagePair, Shape
from otadet.pages.render import is_page, render_page

__all__ = [
    "Bar",
    "Chart",
    "Figure",
    "Histogram",
    "ImagePair",
    "Mark",
    "Series",
    "Shape",
    "histogram",
    "is_page",
    "jpeg_base64",
    "render_page",
    "shrunk",
]
