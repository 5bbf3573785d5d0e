"""Data sets of every format, changed a little: the doctor reports, training reads or refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from otadet.choices import Split
from otadet.data import write_image
from otadet.doctor import DoctorConfig, check_dataset
from otadet.doctor.config import _place
from otadet.doctor.html import write_html
from otadet.doctor.report import as_text
from otadet.errors import InputError
from otadet.exp import BaseExp, load_exp
from tests.data.forms import FORMS
from tests.doctor.broken import make_odgt
from tests.fuzz.mutations import SECRET, SUBSTITUTES, changed_content
from tests.fuzz.oracle import fuzz, watched

pytestmark = pytest.mark.fuzz

_MOST = 40
"""Files of a form that are changed."""


class Change(NamedTuple):
    """What lies at one path of a data set."""

    name: str
    substitute: str
    content: bytes


def _forms(name: str) -> list[Callable[[Path], None]]:
    if name == "odgt":
        return [make_odgt]
    return [form.write for form in FORMS if form.name.split(":")[0].split(" ")[0] == name]


class Changed(NamedTuple):
    """A form with its changes, and whether the doctor's page is written, which is slow."""

    form: int
    changes: list[Change]
    page: bool


@st.composite
def _changed(draw: DrawFn, forms: list[Path]) -> Changed:
    form = draw(st.integers(0, len(forms) - 1))
    files = sorted(path for path in forms[form].rglob("*") if path.is_file())[:_MOST]
    files = [path for path in files if path.suffix != ".jpg"] * 3 + files
    changes = []
    for _ in range(draw(st.integers(1, 2)) if files else 0):
        path = draw(st.sampled_from(files))
        name = str(path.relative_to(forms[form]))
        if draw(st.integers(0, 19)) == 19:
            changes.append(Change(name, draw(st.sampled_from(list(SUBSTITUTES))), b""))
        else:
            content = draw(changed_content(name.lower(), path.read_bytes()))
            changes.append(Change(name, "", content))
    return Changed(form, changes, draw(st.integers(0, 19)) == 19)


@pytest.mark.parametrize("name", ["COCO", "odgt", "VOC", "YOLO", "labelme", "CSV", "odd"])
def test_data_sets(name: str, tmp_path: Path) -> None:
    forms = []
    for number, write in enumerate(_forms(name)):
        forms.append(tmp_path / f"forms/{number}")
        write(forms[-1])
    secret = tmp_path / "w" / SECRET
    secret.mkdir(parents=True)
    write_image(secret / "secret.jpg", np.zeros((10, 20, 3), np.uint8))
    folder = tmp_path / "w/folder"

    def check(data: Changed) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(forms[data.form], folder, symlinks=True)
        for change in data.changes:
            path = folder / change.name
            if path.is_dir():
                path.rmdir()  # of the change before
            path.unlink(missing_ok=True)
            if change.substitute:
                SUBSTITUTES[change.substitute](path)
            else:
                path.write_bytes(change.content)
        with watched(folder, secret):
            _look_at(folder, data.page)

    fuzz(_changed(forms), check, Changed(0, [], page=True))


def _look_at(folder: Path, page: bool) -> None:
    """The doctor's report in all its forms, and what training would do."""
    exp = load_exp(name="ota_fcos_r18", overrides={"data_dir": str(folder)})
    report = check_dataset(_config(exp), workers=1)
    as_text(report)
    json.dumps(report.as_dict())
    if page:
        write_html(report, folder / "page")
    if report.can_train:
        train = exp.build_train_data()  # what it refuses, the doctor has to refuse
        for dataset in (train, exp.build_val_data(train.class_names)):
            for index in range(min(len(dataset), 3)):
                dataset.load(index)
    else:
        with suppress(InputError):
            exp.build_train_data()
        with suppress(InputError):
            exp.build_val_data()


def _config(exp: BaseExp) -> DoctorConfig:
    """That of the doctor, without building a network each time."""
    found = {split: _place(exp, split) for split in get_args(Split)}
    places = {split: place for split, place in found.items() if not isinstance(place, str)}
    absent = {split: place for split, place in found.items() if isinstance(place, str)}
    return replace(_settings(), places=places, absent=absent)


@cache
def _settings() -> DoctorConfig:
    exp = load_exp(name="ota_fcos_r18", overrides={"data_dir": "no-such-folder"})
    return DoctorConfig.of(exp)
