"""Words that users of other trainers give, sizes as people write them, and data that is missing."""

import argparse
from pathlib import Path

import pytest

from otadet.cli import eval, train
from otadet.cli.parsers import demo as demo_parser
from otadet.cli.parsers import get_data as get_data_parser
from otadet.cli.parsers import train as train_parser
from otadet.engine.devices import parse_devices
from otadet.errors import InputError
from otadet.exp import Exp, list_experiments, load_class
from otadet.foreign import _BY_WORD, ours

HINTS = [
    ("imgsz", "320", "imgsz: the setting here is input_size=320"),
    ("img", "320", "img: the setting here is input_size=320"),
    ("epochs", "7", "epochs: the setting here is max_epochs=7"),
    ("batch", "4", "batch: use -b 4"),
    ("lr0", "0.1", "lr0: the setting here is lr=0.1"),
    ("weights", "a.pt", "weights: use -c FILE"),
    ("names", "a,b", "names: the setting here is class_names=a,b,c"),
    ("model", "a.pt", "model: use -n NAME"),
    ("data", "a.yaml", "data: the setting here is data_dir=FOLDER"),
    ("project", "x", "project: use -o DIR"),
]


@pytest.mark.parametrize(("word", "value", "hint"), [*HINTS, ("device", "0", "device: use -d cpu")])
def test_a_setting_of_another_trainer_is_answered_with_ours(
    word: str, value: str, hint: str
) -> None:
    for words in ([f"{word}={value}"], [word, value]):
        with pytest.raises(InputError) as error:
            Exp.parse(words)
        assert str(error.value).startswith(hint)
    with pytest.raises(InputError) as error:
        Exp(**{word: value})
    assert str(error.value).startswith(f"{word}: ")


@pytest.mark.parametrize(("word", "value", "hint"), [h for h in HINTS if h[0] != "batch"])
def test_an_option_of_another_trainer_is_answered_with_ours(
    word: str, value: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([f"--{word}", value], [f"--{word}={value}"]):
        with pytest.raises(SystemExit) as end:
            train_parser.parser("otadet train").parse(["-n", "quickstart", *words])
        assert end.value.code == 2
        assert f"otadet train: error: --{hint}" in capsys.readouterr().err


def test_options_of_other_trainers_that_are_ours_work() -> None:
    args = train_parser.parser().parse(["--batch-size", "4", "--device", "cpu"])
    assert (args.batch_size, args.devices) == (4, "cpu")


def test_no_word_of_ours_is_taken_for_a_foreign_one() -> None:
    settings = set(Exp.hints()) | set(load_class(None, "yolox_s").hints())
    assert not settings & _BY_WORD.keys()
    assert ours("patience") is None and ours("workers") is None


def test_what_the_hints_name_is_there() -> None:
    settings = set(Exp.hints()) | set(load_class(None, "yolox_s").hints())
    options = {a for p in (train_parser, demo_parser) for action in p.parser()._actions
               for a in action.option_strings}  # fmt: skip
    for word in _BY_WORD:
        text = str(ours(word)).removeprefix("the setting here is ").removeprefix("use ")
        name = text.replace("=", " ").split()[0]
        assert name in settings | options, text


@pytest.mark.parametrize(
    ("parser", "words", "message"),
    [
        (train_parser, ["--max-epochs", "5"], "settings have no dashes: max_epochs=5"),
        (train_parser, ["--chekpoint", "a"], "did you mean --checkpoint?"),
        (train_parser, ["-q"], "unrecognized: -q"),
        (get_data_parser, ["voc2007", "--kepp"], "unrecognized: --kepp; did you mean --keep?"),
    ],
)
def test_an_unknown_option_says_what_is_near(
    parser: argparse.Namespace, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser.parser().parse(words)
    assert message in capsys.readouterr().err


def test_one_number_is_a_size() -> None:
    words = ["input_size=640", "test_size=480x640", "shapes_size=(96,64)"]
    exp = Exp(**Exp.parse(words))
    assert exp.input_size == (640, 640)
    assert exp.test_size == (480, 640)
    assert exp.shapes_size == (96, 64)
    assert exp.as_dict()["input_size"] == [640, 640]
    assert Exp(test_size=320).test_size == (320, 320)
    # Of "shortest" it is the shorter side, the limit in proportion: 800, 1333 before.
    paper = load_class(None, "ota_fcos_r50")
    assert paper(**paper.parse(["input_size=600"])).input_size == (600, 1000)
    assert Exp(input_size=400, resize="shortest").input_size == (400, 400)
    with pytest.raises(InputError, match=r"setting input_size: expected 640 or 480x640 .*'64x'"):
        Exp.parse(["input_size=64x"])
    with pytest.raises(InputError, match="multiscale: expected 2 values"):
        Exp.parse(["multiscale=640"])


@pytest.mark.parametrize("name", ["finetune_nano", "ota_fcos_r18"])
def test_an_experiment_for_own_data_wants_data(name: str, tmp_path: Path) -> None:
    message = "data_dir: expected the folder of your images"
    out = tmp_path / "run"
    with pytest.raises(InputError, match=message) as error:
        train.main(["-n", name, "-d", "cpu", "-o", str(out)])
    assert "\n" not in str(error.value) and not out.exists()
    assert train.main(["-n", name, "--list-layers"]) == 0


def test_experiments_without_data_of_their_own_say_so_or_have_shapes() -> None:
    without = {
        cls.name
        for cls in (load_class(None, name) for name in list_experiments())
        if cls.data_dir is None and not cls.own_data
    }
    assert without == {"quickstart"}


def test_zero_devices_explains_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def message(text: str, gpus: int) -> str:
        monkeypatch.setattr("torch.cuda.is_available", lambda: gpus > 0)
        monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
        with pytest.raises(InputError) as error:
            parse_devices(text)
        return str(error.value)

    none = "this machine has no GPU that torch can use; use -d cpu"
    assert message("0", 0) == f"-d 0: {none}"
    assert message("0,", 0) == f"-d 0,: {none}"
    assert message("cuda", 0).endswith(none)
    two = "this machine has 2 GPUs, numbers 0 to 1; -d cpu takes none"
    assert "-d 1 takes one, -d 0, (with a comma) takes GPU 0" in message("0", 2)
    for text in ("0", "8", "2,", "gpu"):
        assert message(text, 2).endswith(two)
    assert "every GPU once" in message("1,1", 2)
    assert parse_devices("0,1").indices == (0, 1)


def test_eval_takes_no_shapes_for_own_data(tmp_path: Path) -> None:
    from tests.export.networks import checkpoint

    with pytest.raises(InputError, match="data_dir: expected the folder"):
        eval.main(["-n", "ota_fcos_r18", "-c", str(checkpoint(tmp_path)), "-d", "cpu"])
