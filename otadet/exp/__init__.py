"""Experiments: Python classes whose annotated attributes are the settings."""

from otadet.exp.base import BaseExp
from otadet.exp.fcos import Exp
from otadet.exp.load import known_here, load_class, load_exp
from otadet.experiments import list_experiments

__all__ = ["BaseExp", "Exp", "known_here", "list_experiments", "load_class", "load_exp"]
