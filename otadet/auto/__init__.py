"""Settings derived from data and machine by stated rules, for ``otadet train my/data``."""

from otadet.auto.derive import Derived, derive
from otadet.auto.rules import Choice

__all__ = ["Choice", "Derived", "derive"]
