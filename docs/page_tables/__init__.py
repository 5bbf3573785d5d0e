"""Tables of figures in README.md and docs/, a function each; docs/make_tables.py writes them."""

from page_tables import (
    assignment,
    compare,
    exchange,
    large_images,
    minutes,
    nano,
    networks,
    ota_k,
    readme,
    training,
)
from page_tables.base import ROOT, TABLES

__all__ = [
    "ROOT", "TABLES", "assignment", "compare", "exchange", "large_images", "minutes", "nano",
    "networks", "ota_k", "readme", "training",
]  # fmt: skip
