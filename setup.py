"""What pyproject.toml cannot say: ``exps/`` travels in the wheel as ``otadet/exps``."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["otadet*"]), "otadet.exps"],
    package_dir={"otadet.exps": "exps"},
)
