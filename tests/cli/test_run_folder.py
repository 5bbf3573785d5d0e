"""Commands in the folder of a run: what they write where, and how a run there goes on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from otadet.cli.demo import main as demo
from otadet.cli.eval import main as evaluate
from otadet.cli.train import main as train
from otadet.data import write_image
from otadet.data.shapes import ShapesDataset
from otadet.engine.checkpoint import load_checkpoint
from otadet.errors import InputError
from otadet.outputs import LIST
from tests.doctor.broken import coco, make_coco
from tests.engine.processes import TINY, free_port, quick, started


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "mine"
    assert train(quick(out, "max_iters=4", "save_interval=1", "eval_interval=1000")) == 0
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run's folder, seen from a folder elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    yield lines
    logger.remove(sink)


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def unfinished(run: Path) -> None:
    """Take back the evaluation at the end, and what follows it."""
    (run / "before_last.pth").replace(run / "last.pth")
    shutil.rmtree(run / "pictures")
    assert not load_checkpoint(run / "last.pth").metrics


def test_an_evaluation_replaces_nothing_of_the_run(run: Path, said: list[str]) -> None:
    before = content(run)
    assert evaluate(["-c", str(run / "best.pth"), "-d", "cpu", "--plots"]) == 0
    after = content(run)
    assert before.items() <= after.items()
    new = {name.split("/")[0] for name in after.keys() - before.keys()}
    assert new == {"eval"} and "eval/metrics.json" in after
    assert f"wrote {run}/eval/metrics.json\n" in said
    assert not any(Path.cwd().iterdir())
    with pytest.raises(InputError, match=r"is a run directory, whose metrics\.json"):
        evaluate(["-c", str(run / "best.pth"), "-d", "cpu", "-o", str(run)])
    assert evaluate(["-c", str(run / "best.pth"), "-d", "cpu", "-o", "out"]) == 0
    assert evaluate(["-c", str(run / "best.pth"), "-d", "cpu", "-o", "out"]) == 0  # no run
    assert {path.name for path in Path("out").iterdir()} == {"metrics.json", LIST}


def test_the_demo_draws_into_the_run(run: Path) -> None:
    image = Path("a.png")
    write_image(image, ShapesDataset(1, seed=0).load(0).image)
    words = ["image", "--path", str(image), "-d", "cpu", "-c"]
    assert demo([*words, str(run / "best.pth")]) == 0
    assert (run / "demo/a.png").exists() and not Path("runs").exists()
    alone = run.parent / "alone.pth"
    shutil.copy(run / "best.pth", alone)  # in no run's folder
    assert demo([*words, str(alone)]) == 0
    assert Path("runs/quickstart/demo/a.png").exists()


def test_what_other_commands_made_goes_with_the_run_it_was_made_from(run: Path) -> None:
    (run / "eval").mkdir()
    (run / "eval/metrics.json").write_text("{}", encoding="utf-8")
    assert train(quick(run, "max_iters=1")) == 0
    assert (run / "previous-1/eval/metrics.json").exists() and not (run / "eval").exists()


def test_resume_needs_the_folder_alone(run: Path) -> None:
    unfinished(run)
    assert train(["--resume", "-o", str(run), "-d", "cpu"]) == 0
    again = load_checkpoint(run / "last.pth")
    assert again.metrics and again.experiment == "quickstart"
    assert any((run / "pictures").iterdir())
    with pytest.raises(InputError, match=r"last\.pth does not exist; nothing to resume"):
        train(["--resume", "-o", "nowhere", "-d", "cpu"])
    with pytest.raises(InputError, match="name the run directory with -o"):
        train(["--resume", "-d", "cpu"])


def test_a_script_gives_the_same_words_each_time(run: Path) -> None:
    out = run.parent / "second"
    words = ["-c", str(run / "best.pth"), "-o", str(out), "-d", "cpu", "-b", "4", "--fp32"]
    words += [*TINY, "max_iters=4", "save_interval=1", "eval_interval=1000", "--resume"]
    assert train(words) == 0
    log = (out / "log.txt").read_text(encoding="utf-8")
    assert f"no checkpoint in {out} yet; starting from -c" in log and "starting from" in log
    unfinished(out)
    (out / "log.txt").unlink()
    assert train(words) == 0
    log = (out / "log.txt").read_text(encoding="utf-8")
    assert f"--resume: {out}/last.pth (step 3)" in log and "is ignored" in log
    assert "starting from" not in log
    assert load_checkpoint(out / "last.pth").metrics


def test_processes_that_do_not_share_the_folder_do_not_go_on(run: Path) -> None:
    unfinished(run)
    place = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    place["MASTER_PORT"] = free_port()
    logs = [run.parent / f"{rank}.txt" for rank in range(2)]
    words = ["--resume", "-d", "cpu:2", "-c", str(run / "best.pth"), "-o"]
    first = {**place, "RANK": "0", "LOCAL_RANK": "0"}
    second = {**place, "RANK": "1", "LOCAL_RANK": "1"}
    with (
        started([*words, str(run)], logs[0], first) as a,
        started([*words, str(run.parent / "other"), *TINY], logs[1], second) as b,
    ):
        assert [a.end(), b.end()] == [2, 2], a.said + b.said
        assert "they have to share the folder" in a.said


def test_the_log_has_what_was_said_before_the_folder(tmp_path: Path) -> None:
    root, out = tmp_path / "data", tmp_path / "run"
    make_coco(root)
    coco(lambda d: d["annotations"][0].update(bbox=[1, 2, 0, 4]))(root)
    words = ["-n", "ota_fcos_r18", "-d", "cpu", "-b", "2", "-o", str(out), f"data_dir={root}"]
    small = ["input_size=64", "test_size=64", "workers=0", "max_iters=1", "head_convs=1"]
    assert train([*words, *small]) == 0
    log = (out / "log.txt").read_text(encoding="utf-8")
    first = log.splitlines()[0]
    assert " INFO device: CPU (" in first and "; precision: fp32" in first
    assert log.count("device: CPU") == 1 and log.count("box-no-area") == 1
