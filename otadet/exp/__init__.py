"""Experiments: Python classes whose annotated attributes are the settings."""

from otadet.exp.base import Exp
from otadet.exp.load import list_experiments, load_class, load_exp

__all__ = ["Exp", "list_experiments", "load_class", "load_exp"]
