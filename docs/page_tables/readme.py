"""Tables of README.md."""

from __future__ import annotations

import re
from typing import Any

from page_tables.base import markdown, mean, results, runs, table, three


@table
def first_minute() -> str:
    """README: what the demo prints about the detector that comes with the package."""
    (demo,) = results("ota_nano_cells")["tables"]["demo"]
    return "\n".join(["```text", *demo["lines"], "```", ""])


@table
def cases() -> str:
    """README: which command for which data, and what it reached."""
    tuned, nano = runs("finetune"), "-n finetune_nano -c yolox_nano -d cpu"
    cells, dense = tuned["bccd"], tuned["nuclei"]
    by_itself = {
        run["data"]: run
        for run in results("minutes")["tables"]["runs"]
        if (run["method"], run["minutes"], run["seed"], run["shared"]) == ("auto", 8, 0, False)
    }

    def scores(run: dict[str, Any]) -> str:
        seconds = f"{run['seconds']:.0f} s of one core"
        return f"AP50 {three(run['AP50'])}, AP {three(run['AP'])} in {seconds}"

    return markdown(
        ["your case", "options", "measured"],
        [
            ["your own images, some minutes, no GPU", "`my/data --minutes 8`, and nothing else",
             f"BCCD: {scores(by_itself['bccd'])}; nuclei: {scores(by_itself['nuclei'])}"],
            ["the same, tuned by hand: a few hundred images",
             f"`{nano} {cells['settings']}`", f"BCCD: {scores(cells)}"],
            ["hundreds of objects an image",
             f"`{nano} {dense['settings']}`", f"nuclei: {scores(dense)}"],
            ["thousands of images, a GPU", "`-n yolox_s -c yolox_s -d 1 -b 16 --fp16`",
             f"{ours('yolox_s')}; published on COCO: AP {published('yolox_s')}"],
            ["the paper's recipe on COCO, 8 GPUs", "`-n ota_fcos_r50 -d 8 -b 16 --fp16`",
             f"{ours('ota_fcos_r50')}; published: AP {published('ota_fcos_r50')}"],
        ],
    )  # fmt: skip


def ours(name: str) -> str:
    """Score of an experiment measured here, from its own file."""
    from otadet.exp import load_exp  # torch takes seconds

    text = load_exp(name=name).rows[0].ours
    return re.sub(r"(AP\d*) (\d\d)\b", r"\1 0.\2", text)


def published(name: str) -> str:
    """Score of an experiment as published, from its own file."""
    from otadet.exp import load_exp

    return f"{float(load_exp(name=name).rows[0].published.split(' / ')[0]) / 100:.3f}"


@table
def which_assigner() -> str:
    """README: assigners with their scores under one network and one recipe."""
    rows = [
        ["`ota_short`", "your own data, FCOS's head; every object gets a point"],
        ["`simota_short`", "your own data, YOLOX's head (`assigner=`): default of `finetune_nano`"],
        ["`ota`, `simota`", "long schedules, as published"],
        ["`ota_newton`", "OTA whose plan must be exact: every object gets its supply"],
        ["`atss`, `fcos`", "baselines for a comparison; set `anchor_scale` for ATSS"],
    ]

    def pair(name: str, key: str) -> str:
        return ", ".join(mean(n, key, "AP") for n in re.findall(r"`(\w+)`", name))

    return markdown(
        ["`method=`", "use it for", "BCCD AP, 400 steps", "crowd AP, 200 steps"],
        [[name, use, pair(name, "bccd"), pair(name, "crowd")] for name, use in rows],
    )


@table
def measured() -> str:
    """README: speed and exactness, each with the benchmark that measured it."""
    scenes = {r["scene"]: r for r in results("assign")["tables"]["main"]}
    ordinary = scenes["640 px, 35 objects, 80 classes"]
    crowd = scenes["800 px, 100 overlapping, 80 classes"]
    steps = {(r["network"], r["px"]): r for r in results("train_step")["tables"]["steps"]}
    nano, small = steps["yolox_nano", 416], steps["yolox_s", 416]
    mosaic = [r["times"] for r in results("data")["rows"] if r["recipe"] == "mosaic"]
    nets = {
        (r["network"], r["batch"], r["who"]): r["ms_an_image"]
        for r in results("infer")["tables"]["networks"]
    }
    forms = results("export")["tables"]["forms"]
    passed, equal = sum(f["passed"] for f in forms), sum(f["equal"] for f in forms)
    infer = nets["yolox_nano", 1, "pixeltable-yolox"] / nets["yolox_nano", 1, "otadet fused"]
    return markdown(
        ["what", "result", "command"],
        [
            ["OTA's assignment against its dense form, 35 objects",
             f"{ordinary['OTA ms']:.1f} ms instead of {ordinary['dense ms']:,.0f} ms "
             f"({ordinary['times faster']:.0f}x)", "`python benchmarks/assign.py`"],
            ["the same, 100 overlapping objects at 800 px",
             f"{crowd['OTA ms']:.1f} ms instead of {crowd['dense ms']:,.0f} ms "
             f"({crowd['times faster']:.0f}x)", "`python benchmarks/assign.py`"],
            ["assignment's share of a training step",
             f"YOLOX-nano {nano['assignment'].split()[0]}, YOLOX-s "
             f"{small['assignment'].split()[0]} (416 px)", "`python benchmarks/train_step.py`"],
            ["training step against `pixeltable-yolox`",
             f"YOLOX-nano {nano['ratio']:.2f}x as fast, YOLOX-s {small['ratio']:.2f}x (416 px)",
             "`python benchmarks/train_step.py`"],
            ["mosaic images per second and core, against the same",
             f"{min(mosaic):.1f} to {max(mosaic):.1f}x as many", "`python benchmarks/data.py`"],
            ["inference against the same, YOLOX-nano fused",
             f"{infer:.1f}x as fast", "`python benchmarks/infer.py`"],
            ["exported files that equal torch",
             f"{passed} of {len(forms)} forms, {equal:,} detections",
             "`python benchmarks/export_variants.py`"],
        ],
    )  # fmt: skip
