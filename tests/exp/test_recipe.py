"""What changes during a run, by hand."""

from collections import Counter

import pytest

from otadet.engine.stages import SampleSchedule, build_stages
from otadet.errors import InputError
from otadet.exp import Exp, load_exp
from otadet.exp.recipe import Phase, SizeRule
from otadet.optim import Schedule


def test_sizes_are_a_function_of_the_step() -> None:
    rule = SizeRule((416, 416), (320, 640), seed=3)
    assert rule.sizes[0] == (320, 320) and rule.sizes[-1] == (640, 640) and len(rule.sizes) == 11
    drawn = [rule(step) for step in range(11000)]
    assert all(len(set(drawn[i : i + 10])) == 1 for i in range(0, 11000, 10))
    counts = Counter(drawn)
    assert set(counts) == set(rule.sizes)
    assert all(700 <= n <= 1300 for n in counts.values())  # 1000 each, 10 a draw
    assert drawn == [SizeRule((416, 416), (320, 640), seed=3)(step) for step in range(11000)]
    assert drawn != [SizeRule((416, 416), (320, 640), seed=4)(step) for step in range(11000)]


def test_the_shape_stays_and_sides_are_multiples() -> None:
    assert SizeRule((320, 640), (100, 200)).sizes == ((128, 256), (160, 320), (192, 384))
    assert SizeRule((256, 256)).sizes == ((256, 256),)


def test_yolox_warms_up_as_a_parabola_and_holds_the_end() -> None:
    schedule = Schedule(1.0, 100, warmup=10, warmup_factor=0.0, warmup_power=2.0, kind="cosine",
                        final_factor=0.05, hold=20)  # fmt: skip
    assert [schedule(s) for s in (0, 5, 10)] == pytest.approx([0, 0.25, 1])
    assert schedule(45) == pytest.approx(0.525)  # half of the way from 10 to 80
    assert [schedule(s) for s in (80, 90, 99)] == pytest.approx([0.05] * 3)


def test_the_last_epochs_of_yolox() -> None:
    exp = load_exp(name="yolox_s")
    run = build_stages(exp, total=300 * 10, epoch_steps=10)
    assert [s.start for s in run] == [0, 285 * 10]
    last = run[1].exp
    assert (last.mosaic, last.l1, exp.mosaic, exp.l1) == (0.0, True, 1.0, False)  # type: ignore[attr-defined]
    assert type(last) is type(exp) and last.lr == exp.lr
    # A short run keeps its shape.
    assert build_stages(exp, total=30, epoch_steps=10)[1].start == 20
    plan = SampleSchedule.of(run)
    rule = exp.build_size_rule()
    assert plan(7).size == rule(7) and plan(2999).size == rule(2999)  # type: ignore[attr-defined]
    assert plan(2849).p == 1.0 and plan(2850).p == 0.0  # type: ignore[attr-defined]


def test_a_misspelt_phase_is_said() -> None:
    class Wrong(Exp):
        def phases(self) -> tuple[Phase, ...]:
            return (Phase(1, {"mosaik": 0.0}),)

    with pytest.raises(InputError, match="unknown setting 'mosaik'"):
        build_stages(Wrong(), total=30, epoch_steps=1)


def test_a_phase_says_what_it_cannot_change() -> None:
    class Wrong(Exp):
        mosaic: float = 1.0

        def phases(self) -> tuple[Phase, ...]:
            return (Phase(1, {"flip": 0.0, "mosaic": 0.0, "lr": 1e-4}),)

    with pytest.raises(InputError, match=r"exp.phases: lr is read once, before the first step"):
        build_stages(Wrong(), total=30, epoch_steps=1)


def test_sizes_are_rounded_up_with_a_notice() -> None:
    exp = Exp(input_size=(100, 320), test_size=(64, 64))
    assert exp.build_size_rule()(0) == (128, 320)
    assert exp.notices() == ("input_size=100,320 is no multiple of 32: taking 128,320",)
    assert Exp().notices() == ()
