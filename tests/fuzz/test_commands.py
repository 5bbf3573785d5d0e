"""Command lines, with words replaced: parsed, or refused with one line and exit code 2."""

from __future__ import annotations

import importlib
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from otadet.cli.app import COMMANDS, main
from otadet.engine.run_errors import exit_code
from otadet.errors import InputError
from otadet.exp import load_exp
from otadet.experiments import list_experiments
from tests.fuzz.mutations import NUMBERS, TEXTS, changed_text
from tests.fuzz.oracle import fuzz, watched

pytestmark = pytest.mark.fuzz

_LINES = [
    "train -n quickstart -d cpu -b 4 -o runs/a max_epochs=2 input_size=64,64 lr=0.1",
    "train --resume -o runs/a --seed 3 --max-restarts 2 --log tensorboard --profile 1,2",
    "train -f mine.py -c yolox_s freeze=backbone,neck class_names=a,b --bf16 --ema false",
    "doctor data_dir=data --page page --json d.json --workers 2 --quick val_fraction=0.3",
    "eval -c best.pth -d 0, --plots --tta flip --size 640x480 --nms 0.5 --nms-kind gaussian",
    "demo image -c best.pth --path in/*.jpg -o out --save-csv t.csv --conf 0.3 --no-csv-guard",
    "demo video -c best.pth --path street.mp4 --every 2 --save-json r.json",
    "demo image --path a.jpg --save-labels yolo --save-labels-to new --annotations a.json",
    "export -c best.pth --format onnx --output m.onnx --opset 17 --int8 --dynamic --nms",
    "convert -n yolox_nano -c yolox_nano.pth -o nano.pth",
    "convert-data in out --to coco --force --images copy --classes a,b,c --from cvat",
    "get-data voc2007 --into datasets --keep",
    "inspect -c best.pth --assigners ota,simota,atss --images 3 -o page",
    "benchmark -n yolox_nano -d cpu --repeats 2 --warmup 1 --save-json b.json",
    "replay faults/step.pth --double", "report runs/a", "--help", "--version", "trian",
]  # fmt: skip

_SETTINGS = [
    "input_size=640", "input_size=480x640", "multiscale=0.8,1.2", "milestones=2/3,8/9", "lr=0.01",
    "class_names=a,b", "nms_threshold=0.6", "data_dir=data", "shapes_train=4", "max_epochs=3",
    "schedule=cosine", "freeze=backbone", "seed=1", "cache=memory", "method=ota", "amodal=true",
]  # fmt: skip


@st.composite
def _lines(draw: DrawFn) -> list[str]:
    words = draw(st.sampled_from(_LINES)).split()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(words)))
        kind = draw(st.sampled_from(["replace", "value", "insert", "drop", "text", "letters"]))
        if kind == "insert" or at == len(words):
            words.insert(at, draw(_words))
        elif kind == "drop":
            del words[at]
        elif kind == "replace":
            words[at] = draw(_words)
        elif kind == "value":
            words[at] = words[at].partition("=")[0] + "=" + draw(_words)
        else:
            words[at] = draw(changed_text(words[at])) if kind == "text" else draw(st.text())
    return words


_words = st.one_of(
    st.sampled_from([str(value) for value in (*TEXTS, *NUMBERS)]),
    st.sampled_from([word for line in _LINES for word in line.split()]),
)


def test_parsers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command's words are parsed, and what tells of commands runs."""
    monkeypatch.chdir(tmp_path)

    def check(words: list[str]) -> None:
        module = COMMANDS.get(words[0], ("", ""))[0] if words else ""
        with watched(tmp_path, tmp_path / "none"), _refused():
            if module:
                importlib.import_module(f"otadet.cli.parsers.{module}").parser("otadet").parse(
                    words[1:]
                )
            else:
                main(words)

    fuzz(_lines(), check, ["doctor"])


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``key=value`` of every experiment."""
    monkeypatch.chdir(tmp_path)
    names = sorted(list_experiments())

    @st.composite
    def settings(draw: DrawFn) -> tuple[str, list[str]]:
        words = draw(st.lists(st.sampled_from(_SETTINGS), min_size=1, max_size=3))
        at = draw(st.integers(0, len(words) - 1))
        key = words[at].partition("=")[0]
        words[at] = draw(
            st.one_of(changed_text(words[at]), _words.map(lambda word: f"{key}={word}"))
        )
        return draw(st.sampled_from(names)), words

    def check(data: tuple[str, list[str]]) -> None:
        name, words = data
        with watched(tmp_path, tmp_path / "none"), _refused():
            exp = load_exp(name=name)
            type(exp)(**type(exp).parse(words)).listing()

    fuzz(settings(), check, ("quickstart", ["lr=0.1"]))


_NAMED = [
    "doctor data_dir=?", "report ?", "convert-data ? out --to coco", "eval -c ?.pth -d cpu",
    "demo image -c ?.pth -d cpu --path ? -o out", "export -c ?.pth --output out.onnx", "replay ?",
    "convert -n yolox_nano -c ?.pth -o out.pth", "get-data ?", "inspect -c ?.pth -o out",
]  # fmt: skip


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole command with a name of any letters in place of ``?``."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a file").write_text("text", encoding="utf-8")
    monkeypatch.chdir(folder)
    letters = st.one_of(
        st.sampled_from([str(text) for text in TEXTS]), st.text(min_size=1), st.just("a file")
    )
    names = letters.filter(lambda name: name[0:1] not in ("-", "/", ".", ""))

    def check(data: tuple[str, str]) -> None:
        line, name = data
        words = [word.replace("?", name.replace("\0", "\x01")) for word in line.split()]
        with watched(folder, tmp_path / "none"), _refused():
            assert main(words) in (0, 1, 2)

    for line in _NAMED:  # imports them
        check((line, "nowhere"))
    fuzz(st.tuples(st.sampled_from(_NAMED), names), check)


class _refused(suppress):
    """Nothing but wrong input ends the block; what it prints is thrown away."""

    def __init__(self) -> None:
        super().__init__(InputError)
        self._out, self._err = redirect_stdout(StringIO()), redirect_stderr(StringIO())

    def __enter__(self) -> None:
        self._out.__enter__()
        self._err.__enter__()

    def __exit__(self, kind, error, trace) -> bool:
        self._err.__exit__(kind, error, trace)
        self._out.__exit__(kind, error, trace)
        if isinstance(error, SystemExit):
            assert error.code in (0, 2), error
            return True
        if isinstance(error, OSError):  # of a name that no file can have
            return exit_code(error) is not None
        return super().__exit__(kind, error, trace)
