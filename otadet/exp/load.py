"""Find an experiment by file or by name, with a helpful word when there is none."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loguru import logger

from otadet.errors import InputError
from otadet.exp.base import BaseExp
from otadet.experiments import list_experiments, own_experiments
from otadet.texts import nearest


def load_class(file: str | None = None, name: str | None = None) -> type[BaseExp]:
    """Load the experiment class of a file (``-f``) or of a name or alias (``-n``).

    Raises:
        InputError: for a missing file, an unknown name (with the nearest one), a file that does
            not run (with the real error and its line) or that holds no single experiment.
    """
    if (file is None) == (name is None):
        raise InputError("give one of -f FILE and -n NAME to say which experiment is meant")
    if name is not None:
        known = list_experiments()
        if name not in known:
            near = nearest(name, known, 0.4)
            hint = f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise InputError(
                f"no experiment is called {name!r}; {hint} (`otadet train --help` lists all)"
            )
        path = known[name]
    else:
        path = Path(str(file))
        if not path.is_file():
            raise InputError(f"experiment file {path}: no such file")
    return _class_in(path)


def load_named(name: str, what: str, beside: Path) -> type[BaseExp]:
    """Load the experiment that a file names, such as a checkpoint: one of the package's own.

    A file from elsewhere must not choose what runs here, so others have to be named by the user.

    Args:
        name: of the experiment.
        what: the file that names it, for the message.
        beside: its folder, which may hold the experiment's file.

    Raises:
        InputError: it is none of the package's own; says what to do.
    """
    own, found = own_experiments().get(name), list_experiments().get(name)
    if own is not None:
        if found != own:
            logger.warning("{}: taking otadet's own {}; -f {} takes that one", what, name, found)
        return _class_in(own)
    near = beside / f"{name}.py"
    file = found or (near if near.is_file() else "FILE")
    raise InputError(
        f"{what} is of the experiment {name!r}, which is none of otadet's own and may be any code; "
        f"name it with -f {file} (in Python exp_file={file})"
    )


def load_exp(
    file: str | None = None,
    name: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> BaseExp:
    """Load the experiment with its settings; see :func:`load_class` for what can go wrong."""
    return load_class(file, name)(**(overrides or {}))


def _class_in(path: Path) -> type[BaseExp]:
    path = path.resolve()
    # The name carries the path, so that two files of one name do not replace each other.
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    module_name = f"otadet_exp_{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"experiment file {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    # So that it may import what lies beside it, in loader processes too, which inherit the path.
    # At the end: a sibling does not stand in for a library of its name.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except InputError as error:
        raise InputError(f"experiment file {path}: {error}") from error
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise InputError(
            f"experiment file {error.filename or path}, line {error.lineno}: {error.msg}: {text}"
        ) from error
    except Exception as error:  # whatever a user's file raises is shown as it is
        line = _line_in(path, error)
        raise InputError(
            f"experiment file {path}{line}: {type(error).__name__}: {error}"
        ) from error
    classes = [
        value
        for key, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, BaseExp)
        and value.__module__ == module_name
        and not key.startswith("_")
    ]
    if len(classes) != 1:
        names = ", ".join(c.__name__ for c in classes) or "none"
        raise InputError(
            f"experiment file {path}: expected one class that subclasses otadet.exp.Exp "
            f"or BaseExp, got {names}"
        )
    cls = classes[0]
    cls.file = str(path)
    cls.name = path.stem
    return cls


def _line_in(path: Path, error: Exception) -> str:
    trace = error.__traceback__
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f", line {line}" if line else ""
