"""The plan of a comparison: which runs, and whether they are those of before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from otadet.cli.compare import main as compare
from otadet.cli.train import main as train
from otadet.compare.contenders import of_experiments, of_methods
from otadet.compare.plan import FILE, Plan, check_plan, read_plan, write_plan
from otadet.compare.planning import Conditions, measure_steps, plan_runs
from otadet.compare.processes import slots_of, train_words
from otadet.compare.states import state_of
from otadet.engine.devices import parse_devices
from otadet.engine.loggers import read_metrics
from otadet.errors import InputError
from otadet.exp import load_class
from otadet.outputs import OutputFolder

TINY = str(Path(__file__).with_name("tiny.py"))


def conditions(*words: str, seeds: int = 2, batch: int | None = None) -> Conditions:
    return Conditions(words, seeds, batch, "fp32")


def plan(folder: Path, *words: str, steps: int = 40) -> Plan:
    contenders = of_methods(["ota", "atss anchor_scale=3"], load_class(TINY))
    lengths = {each.label: steps for each in contenders}
    return Plan(plan_runs(contenders, lengths, conditions(*words), folder))


def test_all_methods_of_a_seed_come_before_the_next_seed(tmp_path: Path) -> None:
    runs = plan(tmp_path, "head_width=24").runs
    assert [run.name for run in runs] == [
        "ota, seed 0", "atss anchor_scale=3, seed 0", "ota, seed 1", "atss anchor_scale=3, seed 1",
    ]  # fmt: skip
    assert [run.settings["anchor_scale"] for run in runs] == [8.0, 3.0] * 2
    for run in runs:
        got = {k: run.settings[k] for k in ("head_width", "max_iters", "save_interval", "patience")}
        assert got == {"head_width": 24, "max_iters": 40, "save_interval": 2, "patience": None}
        assert run.batch_size == 4
    assert len({run.hash for run in runs}) == len({run.folder for run in runs}) == 4


def test_tiles_that_the_data_choose_are_numbers_in_the_plan(tmp_path: Path) -> None:
    run = plan(tmp_path, "tile=auto", "shapes_size=200,200", "shapes_object=10,14").runs[0]
    assert (run.settings["tile"], run.settings["tile_overlap"]) == (32, 15)
    assert {"tile=32", "tile_overlap=15"} <= set(run.words)
    whole = plan(tmp_path, "tile=auto", "shapes_size=64,64", "shapes_object=30,40").runs[0]
    assert (whole.settings["tile"], whole.settings["tile_overlap"]) == (None, None)


def test_a_plan_is_read_as_it_was_written_wherever_the_folder_is(tmp_path: Path) -> None:
    before = plan(tmp_path / "a")
    (tmp_path / "a").mkdir()
    write_plan(OutputFolder(tmp_path / "a"), before)
    check_plan(tmp_path / "a", before)
    (tmp_path / "a").rename(tmp_path / "b")
    after = read_plan(tmp_path / "b")
    assert [run.hash for run in after.runs] == [run.hash for run in before.runs]
    assert after.runs[0].folder == tmp_path / "b/runs/ota/seed_0"
    assert after.runs[0].words == before.runs[0].words


def test_another_comparison_in_the_folder_is_refused(tmp_path: Path) -> None:
    write_plan(OutputFolder(tmp_path), plan(tmp_path))
    with pytest.raises(InputError, match=r"holds another comparison; ota, seed 0: lr was 0.002 and "
                       r"is 0.1; name another folder"):  # fmt: skip
        check_plan(tmp_path, plan(tmp_path, "lr=0.1"))
    with pytest.raises(InputError, match=r"max_iters was 40 and is 60.*steps was 40 and is 60"):
        check_plan(tmp_path, plan(tmp_path, steps=60))
    check_plan(tmp_path, plan(tmp_path, "workers=1"))  # changes nothing in the steps
    changed = plan(tmp_path)
    runs = [replace(run, sources={TINY: "0"}) for run in changed.runs]
    with pytest.raises(InputError, match=r"the content of .*tiny\.py has changed"):
        check_plan(tmp_path, Plan(runs))


def test_a_run_is_recognised_by_its_settings(tmp_path: Path) -> None:
    run = plan(tmp_path, steps=1).runs[0]
    assert state_of(run) == "new"
    assert train(train_words(run, "cpu", resume=False)) == 0
    assert state_of(run) == "trained"
    later = replace(run, settings={**run.settings, "of_a_later_version": None})
    assert state_of(later) == "trained"
    other = replace(run, settings={**run.settings, "lr": 0.1})
    with pytest.raises(InputError, match=r"seed_0: holds another run than ota, seed 0 of this "
                       r"comparison: lr was 0.002 and is 0.1; move it away"):  # fmt: skip
        state_of(other)
    with pytest.raises(InputError, match="comparison: length, batch or precision; move it"):
        state_of(replace(run, batch_size=8))


@pytest.mark.slow
def test_a_budget_in_minutes_is_measured_in_steps(tmp_path: Path) -> None:
    one = of_methods(["fcos", "ota"], load_class(TINY))[:1]
    steps = measure_steps(one, 0.5, conditions(), tmp_path, slots_of(parse_devices("cpu")))
    lines = read_metrics(tmp_path / "calibration/runs/fcos/seed_0")
    speeds = [line["images_per_second"] for line in lines if line["kind"] == "train"]
    assert len(speeds) == 3  # at steps 10, 20 and 30; the first holds the start
    assert 30 * min(speeds[1:]) / 4 - 1 <= steps["fcos"] <= 30 * max(speeds[1:]) / 4


def test_runs_that_are_not_asked_for_stay_in_the_plan(tmp_path: Path) -> None:
    whole = plan(tmp_path)
    write_plan(OutputFolder(tmp_path), whole)
    write_plan(OutputFolder(tmp_path), Plan(whole.runs[:1], minutes=None))
    assert [run.name for run in read_plan(tmp_path).runs] == [run.name for run in whole.runs]


def test_a_file_that_is_no_plan(tmp_path: Path) -> None:
    for text in ("{", '{"runs": [{}], "minutes": null}', "[]"):
        (tmp_path / FILE).write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="expected a plan that `otadet compare` wrote"):
            read_plan(tmp_path)


def test_batches_have_to_be_equal(tmp_path: Path) -> None:
    contenders = of_experiments([TINY, f"{TINY} batch_size=8"])
    lengths = {each.label: 10 for each in contenders}
    assert [each.label for each in contenders] == ["tiny", "tiny batch_size=8"]
    with pytest.raises(InputError, match="got tiny: 4, tiny batch_size=8: 8; -b gives it"):
        plan_runs(contenders, lengths, conditions(), tmp_path)
    runs = plan_runs(contenders, lengths, conditions(batch=2), tmp_path)
    assert {run.batch_size for run in runs} == {2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "ota", "--budget", "9"], "at least two different methods, got ota"),
        (["--methods", "ota", "ota", "--budget", "9"], "'ota' twice"),
        (["--methods", "ota", "otta", "--budget", "9"], "setting method: expected"),
        (["--methods", "ota", "fcos"], "--methods: expected --budget with it"),
        (["--methods", "ota", "fcos", "seed=3", "--budget", "9"], "given by --seeds"),
        (["--methods", "ota", "fcos max_iters=5", "--budget", "9"], "given by --budget"),
        (["--methods", "ota", "fcos", "--runs", "a", "--budget", "9"], "--methods and --runs"),
        (["--methods", "ota", "fcos", "--budget", "9", "--seeds", "0"], "--seeds 0: expected at"),
        (["--exps", "yolox_nano", "no_such", "--budget", "9"], "no experiment is called 'no_such'"),
        ([], "expected --methods, --exps or --runs, or -o with a comparison"),
        (["--runs", "a", "b"], "--runs a: expected a run directory with last.pth, got no folder"),
    ],
)
def test_wrong_words_are_refused_before_anything_runs(
    tmp_path: Path, words: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        compare(["-f", TINY, "-d", "cpu", "-o", str(tmp_path / "out"), *words])
    assert not (tmp_path / "out/plan.json").exists()
