"""Names of the experiments and their files, read without running or importing any of them."""

from __future__ import annotations

import ast
from pathlib import Path

_PACKAGE = Path(__file__).parent


def experiment_folders() -> list[Path]:
    """Return the folders of experiments: ``exps/`` here, beside the package, inside the wheel."""
    here = Path.cwd() / "exps"
    first = [here.resolve()] if here.is_dir() else []
    return list(dict.fromkeys([*first, *_own_folders()]))


def own_experiments() -> dict[str, Path]:
    """Return every name and alias of the package's own experiments with its file.

    A checkpoint may choose one of these, and none of ``./exps``, where anything may lie.
    """
    return _experiments(_own_folders())


def list_experiments() -> dict[str, Path]:
    """Return every name and alias with its file. The files are read, not run."""
    return _experiments(experiment_folders())


def _own_folders() -> list[Path]:
    candidates = (_PACKAGE.parent / "exps", _PACKAGE / "exps")
    return [each.resolve() for each in candidates if each.is_dir()]


def _experiments(folders: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in reversed(folders):
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                for name in (path.stem, *_aliases(path)):
                    found[name] = path
    return found


def _aliases(path: Path) -> tuple[str, ...]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, OSError):
        return ()  # the file's own name still leads to it, and then to its error
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        named = any(isinstance(t, ast.Name) and t.id == "aliases" for t in targets)
        if named and isinstance(node, (ast.Assign, ast.AnnAssign)):
            return _texts(node.value)
    return ()


def _texts(value: ast.expr | None) -> tuple[str, ...]:
    """The texts of a literal tuple or list; nothing for what only running the file could tell."""
    if not isinstance(value, (ast.Tuple, ast.List)):
        return ()
    return tuple(
        e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)
    )
