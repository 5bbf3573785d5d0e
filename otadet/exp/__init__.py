"""Experiments: Python classes whose annotated attributes are the settings."""

from otadet.exp.base import Exp
from otadet.exp.load import known_here, load_class, load_exp
from otadet.experiments import list_experiments

__all__ = ["Exp", "known_here", "list_experiments", "load_class", "load_exp"]
