"""Experiments: Python classes whose annotated attributes are the settings."""

from otadet.exp.base import Exp
from otadet.exp.load import known_here, list_experiments, load_class, load_exp

__all__ = ["Exp", "known_here", "list_experiments", "load_class", "load_exp"]
