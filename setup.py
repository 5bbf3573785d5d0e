"""Packages: otadet, otadet_methods, and ``exps/``, which is ``otadet/exps`` in the wheel."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["otadet*"]), "otadet.exps"],
    package_dir={"otadet.exps": "exps"},
)
