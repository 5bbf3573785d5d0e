"""Methods of an experiment whose names only look like hooks are not ignored silently."""

from pathlib import Path

import pytest

from otadet.errors import InputError
from otadet.exp import BaseExp, Exp, list_experiments, load_class, load_exp
from otadet.exp.yolox import YoloxExp


def make(name: str, base: type[BaseExp] = Exp) -> type[BaseExp]:
    body = {name: lambda self: None, "__module__": __name__}
    return type("Mine", (base,), body)


@pytest.mark.parametrize(
    ("name", "base", "hook"),
    [
        ("build_train_draw", Exp, "rename it to build_sample_builder"),
        ("train_draw", Exp, "rename it to train_sample_builder"),
        ("build_train_transform", YoloxExp, "rename it to build_post_transform"),
        ("build_asigner", Exp, r"did you mean build_assigner\?"),
        ("build_optimiser", BaseExp, r"did you mean build_optimizer\?"),
        ("build_postprocessing", YoloxExp, r"did you mean build_postprocess\?"),
    ],
)
def test_a_name_close_to_a_hook_is_refused(name: str, base: type[BaseExp], hook: str) -> None:
    with pytest.raises(InputError, match=rf"^Mine: no hook is called {name}; {hook}"):
        make(name, base)


def test_a_mixin_is_checked_too() -> None:
    mixin = type("Mixin", (), {"build_asigner": lambda self: None})
    with pytest.raises(InputError, match=r"Mine: .*build_asigner; did you mean build_assigner"):
        type("Mine", (mixin, Exp), {"__module__": __name__})


def test_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    text = "from otadet.exp import Exp\nclass Mine(Exp):\n    def build_train_draw(self): ...\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.py: Mine: .*build_sample_builder"):
        load_class(file=str(path))


def test_a_helper_stays_possible_with_one_notice() -> None:
    mine = make("build_teacher")
    assert mine.build_teacher(None) is None  # type: ignore[attr-defined]
    (notice,) = mine().notices()
    assert notice.startswith("Mine.build_teacher is no hook")
    again = type("Again", (mine,), {"build_teacher": print, "__module__": __name__})
    assert again().notices() == (notice,)


@pytest.mark.parametrize("name", ["_build_asigner", "teacher", "build_assigner", "build_neck"])
def test_hooks_and_other_methods_pass_without_notice(name: str) -> None:
    assert make(name)().notices() == ()


def test_a_setting_may_begin_like_a_hook() -> None:
    body = {"build_cached": True, "__annotations__": {"build_cached": bool}}
    assert type("Mine", (Exp,), {**body, "__module__": __name__})().notices() == ()


def test_no_experiment_of_the_repository_has_a_stray_hook() -> None:
    for name in list_experiments():
        assert not [line for line in load_exp(name=name).notices() if "no hook" in line]
