"""SLURM: the launcher environment of processes started by srun."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Mapping

from otadet.errors import InputError


def srun_environment(environment: Mapping[str, str]) -> dict[str, str] | None:
    """Translate srun's environment to that of torch's launcher.

    Returns ``None`` where srun did not start several processes.

    ``MASTER_ADDR`` and ``MASTER_PORT`` are taken where they are set. Otherwise the first host of
    the job is the address, and the port follows from the job's number.

    Raises:
        InputError: where the list of hosts cannot be read.
    """
    names = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_ID", "SLURM_NTASKS")
    if not all(name in environment for name in names) or "RANK" in environment:
        return None
    # In an sbatch script outside of srun there is no task of many to be, whatever was asked for.
    count = int(environment.get("SLURM_STEP_NUM_TASKS", environment["SLURM_NTASKS"]))
    if count <= 1:
        return None
    address = environment.get("MASTER_ADDR") or first_host(
        environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST", "")
    )
    job = f"{environment.get('SLURM_JOB_ID', '0')}.{environment['SLURM_STEP_ID']}"
    port = environment.get("MASTER_PORT") or str(20000 + zlib.crc32(job.encode()) % 20000)
    return {
        "RANK": environment["SLURM_PROCID"],
        "LOCAL_RANK": environment["SLURM_LOCALID"],
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(_tasks_here(environment, count)),
        "MASTER_ADDR": address,
        "MASTER_PORT": port,
    }


def first_host(hosts: str) -> str:
    """Return the first name in SLURM's compressed list, such as ``node[08-11,20],login1``.

    Raises:
        InputError: where there is none.
    """
    if shutil.which("scontrol") is not None:
        done = subprocess.run(
            ["scontrol", "show", "hostnames", hosts], capture_output=True, text=True, check=False
        )
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.split()[0]
    # The first element ends at a comma outside of brackets; of each bracket the first number.
    element = re.match(r"(?:[^,\[\]]|\[[^\]]*\])+", hosts)
    name = re.sub(r"\[(\w+)[^\]]*\]", r"\1", element[0]) if element else ""
    if not re.fullmatch(r"[\w.-]+", name):
        raise InputError(
            f"SLURM_JOB_NODELIST: expected a list of hosts such as node[01-04], got {hosts!r}; "
            "set MASTER_ADDR to the first host"
        )
    return name


def _tasks_here(environment: Mapping[str, str], count: int) -> int:
    """Return the tasks on this host, from ``SLURM_STEP_TASKS_PER_NODE`` such as ``4(x2),3``."""
    text = environment.get("SLURM_STEP_TASKS_PER_NODE") or environment.get("SLURM_TASKS_PER_NODE")
    if not text:
        return count
    tasks: list[int] = []
    for number, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", text):
        tasks += [int(number)] * int(times or 1)
    node = int(environment.get("SLURM_NODEID", 0))
    return tasks[node] if node < len(tasks) else tasks[0]


def join_srun() -> None:
    """Set the launcher environment if srun started this process as one of many."""
    found = srun_environment(os.environ)
    if found is not None:
        os.environ.update(found)
