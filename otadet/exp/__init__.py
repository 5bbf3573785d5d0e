"""Experiments: Python classes whose annotated attributes are the settings."""

from otadet.exp.base import BaseExp
from otadet.exp.fcos import Exp
from otadet.exp.load import load_class, load_exp, load_named
from otadet.experiments import list_experiments

__all__ = ["BaseExp", "Exp", "list_experiments", "load_class", "load_exp", "load_named"]
