"""Imports point down only (docs/design.md, layers)."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "otadet"

LAYERS = {
    "boxes": 0, "points": 0, "geometry": 0, "types": 0, "losses": 0, "rng": 0, "dist": 0,
    "errors": 0, "to_device": 0, "cores": 0, "soft_nms": 0, "box_voting": 0, "download": 0,
    "choices": 0, "experiments": 0, "foreign": 0, "public_data": 0, "atomic": 0, "coco_json": 0,
    "signals": 0, "regular_file": 0, "outputs": 0, "texts": 0, "schema": 0, "web": 0, "tiling": 0,
    "tile_merge": 0, "tile_choice": 0, "provenance": 0,
    "pages": 1, "models": 1, "assign": 1, "data": 1, "evaluation": 1, "postprocess": 1, "optim": 1,
    "criteria": 2, "visualize": 2, "export": 2, "media": 2, "tta": 2,
    "exp": 3,
    "engine": 4, "doctor": 4, "inspect": 4,
    "api": 5, "run_report": 5, "compare": 5, "auto": 5,
    "cli": 6,
    "__main__": 7,
}  # fmt: skip


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported_parts(path: Path) -> set[str]:
    parts: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            if module == "otadet":
                parts |= {alias.name for alias in node.names}
            elif module.startswith("otadet."):
                parts.add(module.split(".")[1])
        elif isinstance(node, ast.Import):
            parts |= {a.name.split(".")[1] for a in node.names if a.name.startswith("otadet.")}
    return parts


def test_every_part_has_a_layer() -> None:
    parts = {_part(p) for p in PACKAGE.rglob("*.py")} - {"__init__"}
    assert parts <= LAYERS.keys(), parts - LAYERS.keys()


def test_imports_point_down_and_siblings_do_not_import_each_other() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} (layer {LAYERS[mine]}) imports {other}"
        for path in PACKAGE.rglob("*.py")
        if (mine := _part(path)) != "__init__"
        for other in _imported_parts(path) & LAYERS.keys()
        if other != mine and not _below(other, mine)
    ]
    assert wrong == []


def _below(other: str, mine: str) -> bool:
    if LAYERS[mine] == 0:
        return LAYERS[other] == 0
    return LAYERS[other] < LAYERS[mine]


def test_models_name_neither_assigners_nor_criteria() -> None:
    for path in (PACKAGE / "models").rglob("*.py"):
        assert not _imported_parts(path) & {"assign", "criteria"}, path


def test_the_core_imports_nothing_of_otadet_methods_until_it_is_asked() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert not any(n.startswith("otadet_methods") for n in names), path
    code = """
import sys
from otadet.exp import load_exp
load_exp(name="quickstart").build_criterion()
assert not any(name.startswith("otadet_methods") for name in sys.modules)
load_exp(name="quickstart", overrides={"method": "fsaf"}).build_criterion()
assert "otadet_methods.fsaf" in sys.modules and "otadet_methods.mal" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_star_imports_and_no_print() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert all(a.name != "*" for a in node.names), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print" or _part(path) == "cli", path
