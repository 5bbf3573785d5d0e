"""Several processes: started by the launcher, by torchrun's variables, by SLURM's."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
import torch.distributed as td
from torch.multiprocessing import start_processes

from otadet import dist
from otadet.cli.train import main as train
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.endings import Ending, first_cause, gathered, read, stop_signal
from otadet.engine.launch import _forward_signals
from otadet.engine.slurm import first_host, srun_environment
from otadet.errors import InputError
from otadet.models import BACKBONES
from otadet.signals import number_of
from tests.engine.processes import Running, free_port, pair, quick, started

ROOT = Path(__file__).parents[2]


def workers(launcher: Running) -> list[int]:
    """The processes of the ranks, in their order."""
    return [
        pid
        for pid in launcher.children()
        if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    ]


def gather(rank: int, store: str) -> None:
    """One of two processes: everything comes in the order of ranks, nothing too."""
    td.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    assert dist.gather_objects(None if rank == 0 else "x") == [None, "x"]
    td.destroy_process_group()


def test_objects_are_gathered_in_the_order_of_ranks(tmp_path: Path) -> None:
    start_processes(gather, (str(tmp_path / "store"),), nprocs=2, start_method="forkserver")


@pytest.mark.slow
def test_a_killed_process_is_named_and_started_anew(tmp_path: Path) -> None:
    """The first kill costs the one restart that is allowed, the second one ends the run."""
    out = tmp_path / "run"
    words = quick(out, "max_iters=100000", "eval_interval=100000", "--max-restarts", "1")
    words[words.index("cpu")] = "cpu:2"
    with started(words, tmp_path / "log", {"PYTHONPATH": str(ROOT)}) as run:
        run.wait_for((out / "last.pth").exists)
        first = workers(run)
        os.kill(first[1], signal.SIGKILL)
        run.wait_for(lambda: "resumed" in run.said)
        at = int(run.said.split("at step ")[-1].split()[0])
        run.wait_for(lambda: load_checkpoint(out / "last.pth").step > at)
        os.kill(workers(run)[1], signal.SIGKILL)
        assert run.end() == 1, run.said
    assert "restarted after a failure; resuming from" in run.said and at > 0
    assert "the process of rank 1 was killed by SIGKILL" in run.said
    assert "Traceback" not in run.said
    assert not any(Path(f"/proc/{pid}").exists() for pid in first)
    assert not (out / "previous-1").exists()


def srun(rank: int, port: str) -> dict[str, str]:
    """What srun sets for one of two tasks on this host; the port keeps test runs apart."""
    return {
        "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NTASKS": "2",
        "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_JOB_ID": "77",
        "SLURM_JOB_NODELIST": "localhost", "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_NODEID": "0", "MASTER_PORT": port,
    }  # fmt: skip


def test_tasks_of_srun_with_batches_in_parts_equal_one_process(tmp_path: Path) -> None:
    """Two tasks, each of which takes its half in two parts, and five images to evaluate."""
    torch.manual_seed(0)
    torch.save(BACKBONES["resnet10"](norm_layer=torch.nn.BatchNorm2d).state_dict(), tmp_path / "w")
    words = ["max_iters=2", "frozen_norm=true", f"backbone_weights={tmp_path / 'w'}",
             "ema_decay=0", "eval_interval=1000", "optimizer=sgd", "lr=0.02"]  # fmt: skip
    assert train(quick(tmp_path / "one", *words, batch=8)) == 0
    port = free_port()
    several = quick(tmp_path / "two", *words, "accumulate=2", batch=8)
    del several[several.index("-d") : several.index("-d") + 2]  # srun says how many there are
    with pair(several, tmp_path / "said", [srun(r, port) for r in range(2)]) as both:
        assert [p.end() for p in both] == [0, 0], both[0].said + both[1].said
    one, two = (load_checkpoint(tmp_path / n / "last.pth").weights for n in ("one", "two"))
    assert all(torch.allclose(one[k], two[k], atol=2e-5) for k in one)
    a, b = (
        json.loads((tmp_path / n / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        for n in ("one", "two")
    )
    assert a["AP"] == pytest.approx(b["AP"], abs=0.02)
    for term in ("loss", "cls", "box", "quality"):  # of all five images, however they are split
        assert b[term] == pytest.approx(a[term], rel=1e-3) and a[term] > 0


def test_what_srun_says() -> None:
    here = {"SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_NTASKS": "8", "SLURM_STEP_ID": "0",
            "SLURM_JOB_NODELIST": "gpu[08-09],gpu11", "SLURM_TASKS_PER_NODE": "4(x2)",
            "SLURM_NODEID": "1", "SLURM_JOB_ID": "123"}  # fmt: skip
    found = srun_environment(here)
    assert found is not None
    assert {k: found[k] for k in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")} == {
        "RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4",
    }  # fmt: skip
    assert found["MASTER_ADDR"] == "gpu08" and 20000 <= int(found["MASTER_PORT"]) < 40000
    assert srun_environment({**here, "SLURM_PROCID": "6"})["MASTER_PORT"] == found["MASTER_PORT"]  # type: ignore[index]
    given = srun_environment({**here, "MASTER_ADDR": "h", "MASTER_PORT": "1"})
    assert given is not None and (given["MASTER_ADDR"], given["MASTER_PORT"]) == ("h", "1")
    assert srun_environment({**here, "SLURM_NTASKS": "1"}) is None
    assert srun_environment({**here, "RANK": "0"}) is None  # torchrun inside of srun
    batch = {k: v for k, v in here.items() if k not in ("SLURM_STEP_ID", "SLURM_PROCID")}
    assert srun_environment(batch) is None  # an sbatch script outside of srun


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("node1", "node1"), ("node[08-11,20],login1", "node08"), ("a-[3,5-7]", "a-3"),
        ("r[1-2]n[05-06],x", "r1n05"), ("gpu7.site.org,gpu8", "gpu7.site.org"),
    ],
)  # fmt: skip
def test_hosts(hosts: str, first: str) -> None:
    assert first_host(hosts) == first


@pytest.mark.parametrize("hosts", ["", "[", "a b"])
def test_hosts_that_cannot_be_read(hosts: str) -> None:
    with pytest.raises(InputError, match="SLURM_JOB_NODELIST: expected a list of hosts"):
        first_host(hosts)


def test_a_signal_before_there_are_processes() -> None:
    """Nothing to save yet: the launcher ends at once, and what is started later ends too."""
    with gathered() as folder:
        assert stop_signal() is None
        with pytest.raises(KeyboardInterrupt) as stop, _forward_signals(folder):
            os.kill(os.getpid(), signal.SIGTERM)
        assert number_of(stop.value) == stop_signal() == signal.SIGTERM
        assert read(folder) == {}


def test_the_first_cause_is_not_the_loss_of_others() -> None:
    lost, cause = Ending(0, 1, "rank 0: lost", True, 1.0), Ending(1, 2, "rank 1: cause", False, 2.0)
    assert first_cause({0: lost, 1: cause}) is cause
    assert first_cause({0: lost}) is lost and first_cause({}) is None
