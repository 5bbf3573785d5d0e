"""Settings: typed, frozen, typo-proof, one way in."""

import sys
from pathlib import Path

import pytest

from otadet.errors import InputError
from otadet.exp import Exp, list_experiments, load_class, load_exp, load_named
from otadet.exp.listing import meanings


def test_overrides_are_parsed_by_type() -> None:
    words = ["max_epochs=3", "lr=1e-3", "flip", "0", "frozen_norm=yes", "data_dir=none",
             "input_size=320,416", "milestones=0.5,0.9", "quality=centerness"]  # fmt: skip
    exp = Exp(**Exp.parse(words))
    assert (exp.max_epochs, exp.lr, exp.flip, exp.frozen_norm) == (3, 1e-3, 0.0, True)
    assert exp.data_dir is None and exp.input_size == (320, 416)
    assert exp.milestones == (0.5, 0.9) and exp.quality == "centerness"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("max_epoch=3", "unknown setting 'max_epoch' .*did you mean 'max_epochs'"),
        ("max_epochs=three", "max_epochs: expected a whole number, got 'three'"),
        ("max_epochs=1.5", "max_epochs: expected a whole number"),
        ("frozen_norm=maybe", "frozen_norm: expected true or false, got 'maybe'"),
        ("input_size=big", "input_size: expected 640 or 480x640"),
        ("multiscale=320", "multiscale: expected 2 values"),
        ("quality=good", "quality: expected one of 'iou', 'centerness', 'none'"),
        ("lr", "lr: expected a value after it"),
    ],
)
def test_a_wrong_override_names_what_was_expected(word: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Exp.parse([word])


def test_a_false_flag_is_false() -> None:
    assert Exp.parse(["frozen_norm", "False"]) == {"frozen_norm": False}


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError, match="do not change"):
        Exp().lr = 1.0


def test_a_typo_in_a_subclass_is_found_at_once() -> None:
    with pytest.raises(InputError, match=r"'max_epocs'.*did you mean 'max_epochs'"):
        type("Mine", (Exp,), {"max_epocs": 3, "__module__": __name__})


def test_a_wrong_type_in_a_subclass_is_found_at_once() -> None:
    with pytest.raises(InputError, match=r"Mine.lr: expected a number, got 'high'"):
        type("Mine", (Exp,), {"lr": "high", "__module__": __name__})


def test_settings_survive_a_checkpoint() -> None:
    exp = Exp(input_size=(320, 416), data_dir="somewhere")
    again = Exp(**Exp.from_dict(exp.as_dict()))
    assert again.as_dict() == exp.as_dict()
    assert again.input_size == (320, 416)


def test_names_and_aliases() -> None:
    assert load_class(name="ota_r50") is not None
    assert load_exp(name="ota_r50").name == "ota_fcos_r50"
    assert {"ota_fcos_r50", "ota_r50", "ota_fcos_r18", "quickstart"} <= list_experiments().keys()
    with pytest.raises(InputError, match="did you mean 'ota_r50'"):
        load_class(name="ota_r5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Mine(Exp:\n    pass\n", r"mine.py, line 1: .*"),
        ("from otadet.exp import Exp\nx = 1 / 0\n", r"mine.py, line 2: ZeroDivisionError"),
        ("from otadet.exp import Exp\n", "expected one class .* got none"),
        (
            "from otadet.exp import Exp\nclass Mine(Exp):\n    max_epoch = 3\n",
            "did you mean 'max_epochs'",
        ),
    ],
)
def test_the_real_error_of_an_experiment_file_is_shown(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_class(str(tmp_path / "mine.py"))


def test_a_missing_file_and_neither_nor() -> None:
    with pytest.raises(InputError, match="no such file"):
        load_class("nowhere/at/all.py")
    with pytest.raises(InputError, match="give one of -f FILE and -n NAME"):
        load_class()


@pytest.mark.parametrize(
    "text",
    [
        'BASE = ("a",)\naliases = BASE + ("b",)\n',
        'aliases = "mine"\n',
        "aliases: tuple[str, ...]\n",
        "def broken(:\n",
    ],
)
def test_one_odd_file_does_not_break_the_names_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "exps").mkdir()
    (tmp_path / "exps/odd.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names = list_experiments()
    assert "odd" in names and "ota_r50" in names and not {"a", "b", "m", "mine"} & names.keys()


def test_the_error_of_an_imported_module_is_not_blamed_on_the_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rv_other.py").write_text("x = 1\ny = (\n", encoding="utf-8")
    (tmp_path / "mine.py").write_text("import rv_other\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"rv_other.py, line 2"):
        load_class(str(tmp_path / "mine.py"))


def test_an_experiment_imports_what_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "journey_parts.py").write_text("EPOCHS = 7\n", encoding="utf-8")
    (tmp_path / "json.py").write_text(
        "raise RuntimeError('stands in for a library')\n", encoding="utf-8"
    )
    (tmp_path / "mine.py").write_text(
        "import json\nfrom journey_parts import EPOCHS\nfrom otadet.exp import Exp\n"
        "class Mine(Exp):\n    max_epochs = EPOCHS\n",
        encoding="utf-8",
    )
    assert load_class(str(tmp_path / "mine.py")).max_epochs == 7


def test_the_list_of_settings_says_what_they_mean_and_can_be_given_back() -> None:
    exp = load_exp(name="yolox_nano")
    lines = exp.listing().splitlines()
    titles = [line for line in lines if line.startswith("[")]
    assert titles[0] == "[mosaic and mixup]" and "[data]" in titles and "[backbone]" not in titles
    words = [line.split()[0] for line in lines if line and line[0] not in " ["]
    names = [word.partition("=")[0] for word in words]
    assert sorted(names) == sorted(exp.hints()) and len(names) == len(set(names))
    assert type(exp)(**type(exp).parse(words)).as_dict() == exp.as_dict()
    at = lines.index(next(line for line in lines if line.startswith("drop_empty=false")))
    assert lines[at + 1] == "    Leave out training images without objects."
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("name", sorted({p.stem for p in list_experiments().values()}))
def test_every_setting_is_explained(name: str) -> None:
    cls = load_class(name=name)
    assert cls.hints().keys() - meanings(cls).keys() == set()


def test_shares_are_fractions_and_fractions_are_read() -> None:
    assert "milestones=2/3,8/9 " in Exp().listing()
    assert Exp.parse(["milestones=2/3,8/9"])["milestones"] == (2 / 3, 8 / 9)
    with pytest.raises(InputError, match="lr: expected a number, got '1/0'"):
        Exp.parse(["lr=1/0"])


def test_the_listing_cuts_a_value_without_end() -> None:
    """Wrapping a line takes the square of its words: this one took minutes."""
    text = Exp(data_dir="a b " * 100_000).listing()
    assert "data_dir=a b a b" in text and len(text) < 30_000


def test_a_path_where_a_setting_belongs_is_said() -> None:
    with pytest.raises(InputError, match=r"key=value, got 'my/data'; .*data_dir=my/data"):
        Exp.parse(["my/data"])


def test_a_name_that_leads_nowhere_asks_for_the_file() -> None:
    assert load_named("quickstart", "checkpoint x.pth", Path()).name == "quickstart"
    with pytest.raises(InputError, match=r"x\.pth is of the experiment 'mine', .* name it with -f"):
        load_named("mine", "checkpoint x.pth", Path())
