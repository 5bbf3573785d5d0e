"""Checkpoints from elsewhere: all that is wrong in one line, before it takes memory."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.weights import open_weights
from otadet.errors import InputError
from tests.limits import limited

Change = dict[str, Any]
NAN, INF = float("nan"), float("inf")


def content(**changes: object) -> dict[str, Any]:
    """A sound checkpoint but for ``changes``."""
    return {
        "format": 1, "experiment": "quickstart", "settings": {"lr": 0.1}, "class_names": ["a", "b"],
        "weights": {"w": torch.ones(2, 3)}, "step": 5, "metrics": {"AP": 0.5},
        "category_ids": [1, 7], "operating_point": {"score": 0.3, "f1": 0.5},
        "training": training(), **changes,
    }  # fmt: skip


def optimizer(**changes: object) -> dict[str, Any]:
    group = {"lr": 0.1, "betas": (0.9, 0.99), "foreach": None, "params": [0]}
    return {"state": {0: {"m": torch.ones(2, 3)}}, "param_groups": [group], **changes}


def training(**changes: object) -> dict[str, Any]:
    return {
        "model": {"w": torch.ones(2, 3)}, "optimizer": optimizer(),
        "scaler": {"scale": 1.0}, "best": -1.0, "best_step": 0, "stale": 0,
        "evaluation_due": False, "faults_in_a_row": 0, "rng": [torch.get_rng_state()],
        "gpu_rng": [torch.zeros(0, dtype=torch.uint8)], "steps": 9, "batch_size": 4,
        "precision": "fp32", "run_id": "1", **changes,
    }  # fmt: skip


def weights(value: object) -> Change:
    return {"weights": {"w": torch.ones(2, 3), "v": value}}


def trained(**changes: object) -> Change:
    return {"training": training(**changes)}


def shadowed() -> OrderedDict[str, Tensor]:
    """A dictionary with an attribute in the place of a method."""
    state: OrderedDict[str, Tensor] = OrderedDict(w=torch.ones(2, 3))
    state.values = 5  # type: ignore[assignment, method-assign]
    return state


def parameter(**attributes: object) -> Tensor:
    made = torch.nn.Parameter(torch.ones(2, 3))
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def nested(depth: int, width: int = 2) -> list[Any]:
    """A list of few objects that are many if each mention counts."""
    made: list[Any] = [0]
    for _ in range(depth):
        made = [made] * width
    return made


DENSE = r"weights\['v'\]: expected a dense tensor in the memory, got "
FAULTS: dict[str, tuple[Change, str]] = {
    "format 0": ({"format": 0}, "format: expected a whole number from 1 to 1, got 0"),
    "format true": ({"format": True}, "format: .* got True"),
    "vast format": ({"format": 10**500}, "in format a number of about 500 digits"),
    "experiment in a folder": (
        {"experiment": "../../x"}, r"experiment: expected the name .*, got '\.\./\.\./x'",
    ),
    "experiment of dots": ({"experiment": ".."}, "experiment: .* got '..'"),
    "experiment with a line": ({"experiment": "a\nb"}, r"experiment: .* got 'a\\nb'"),
    "empty experiment": ({"experiment": ""}, "experiment: .* got ''"),
    "long experiment": ({"experiment": "x" * 10**6}, r"experiment: .* got 'x+\.\.\.'$"),
    "setting with a blank": ({"settings": {"a b": 1}}, "settings: the key: .* got 'a b'"),
    "setting 7": ({"settings": {7: 1}}, "settings: the key: .* got 7"),
    "setting of a tensor": (
        {"settings": {"lr": torch.ones(1)}}, r"settings\['lr'\]: .* got a Tensor",
    ),
    "setting of a dictionary": ({"settings": {"lr": {}}}, r"\['lr'\]: .* got a dict of 0"),
    "setting NaN": ({"settings": {"lr": NAN}}, r"\['lr'\]: expected a number, got nan"),
    "vast setting": ({"settings": {"lr": 1 << 70}}, "within 64 bits, got a number of about 21"),
    "settings that grow": (
        {"settings": {"lr": nested(2, 200)}}, r"\['lr'\]: expected at most 10,000 values",
    ),
    "deep setting": ({"settings": {"lr": nested(50)}}, "fewer lists inside lists"),
    "no class": ({"class_names": []}, "class_names: expected 1 to 100,000 entries, got 0"),
    "many classes": ({"class_names": ["a"] * 100_001}, "class_names: .* got 100,001"),
    "class of a megabyte": (
        {"class_names": ["x" * 10**6]}, r"class_names\[0\]: expected at most 10,000 char",
    ),
    "NaN": (weights(torch.tensor([1.0, NAN])), r"\['v'\]: 1 of 2 numbers are NaN or inf"),
    "infinity": (weights(torch.tensor([[INF, -INF]])), r"\['v'\]: 2 of 2 numbers are NaN"),
    "half NaN": (weights(torch.tensor(NAN, dtype=torch.float16)), "1 of 1 numbers are NaN"),
    "meta": (weights(torch.ones(3, device="meta")), DENSE + ".*device meta"),
    "sparse": (weights(torch.eye(3).to_sparse()), DENSE + "one of another layout"),
    "int8": (weights(torch.ones(3, dtype=torch.int8)), r"\['v'\]: .* got int8"),
    "complex": (weights(torch.ones(3, dtype=torch.complex64)), r"\['v'\]: .* got complex64"),
    "stretched": (weights(torch.ones(1).expand(10**9)), DENSE + "one of 4,000,000,000 bytes"),
    "beyond float32": (
        weights(torch.tensor([1e300], dtype=torch.float64)), r"\['v'\]: 1 of 1 numbers are NaN or",
    ),
    "many dimensions": (weights(torch.ones([1] * 999)), DENSE + "one of 999 dimensions"),
    "negative variance": (
        {"weights": {"n.running_var": -torch.ones(2)}}, r"running_var'\]: expected variances of at",
    ),
    "name of a tensor": (
        {"weights": {torch.ones(2): torch.ones(1)}}, "names of tensors, got a Tensor",
    ),
    "best a tensor": (trained(best=torch.zeros(0)), "best: expected a number, got a Tensor"),
    "best NaN": (trained(best=NAN), "training.best: expected a number, got nan"),
    "scale without end": (
        trained(scaler={"growth_factor": 1e308}), "growth_factor: expected a number from 1 to 1000",
    ),
    "number for a tensor": (weights(3), DENSE + "3"),
    "integer key": ({"weights": {3: torch.ones(1)}}, "expected names of tensors, got 3"),
    "views without end": (
        {"weights": dict.fromkeys(map(str, range(99)), torch.ones(9))}, "weights: .* 3,564$",
    ),
    "methods hidden": ({"weights": shadowed()}, "weights: expected a dictionary of tensors"),
    "negative step": ({"step": -3}, "step: .* got -3"),
    "vast step": ({"step": 1 << 80}, "step: .* got a number of about 24 digits"),
    "step beyond the run": ({"step": 10}, "step: expected at most 9, .* got 10"),
    "metric of text": ({"metrics": {"AP": "good"}}, r"metrics\['AP'\]: .* got 'good'"),
    "category ids twice": ({"category_ids": [1, 1]}, "expected 2 different integers"),
    "few category ids": ({"category_ids": [1]}, "category_ids: expected 2 different"),
    "category ids of text": ({"category_ids": ["1", "2"]}, r"category_ids\[0\]: .* got '1'"),
    "score of 2": (
        {"operating_point": {"score": 2.0, "f1": 0.5}}, "operating_point.score: .* got 2.0",
    ),
    "no score": ({"operating_point": {"f1": 0.5}}, "operating_point.score: missing"),
    "score NaN": ({"operating_point": {"score": NAN, "f1": 0.5}}, "score: .* got nan"),
    "training NaN": (
        trained(model={"w": torch.tensor(NAN)}), r"training\.model\['w'\]: 1 of 1 numbers",
    ),
    "momentum NaN": (
        trained(optimizer=optimizer(state={0: {"m": torch.tensor(NAN)}})),
        r"training\.optimizer\.state\[0\]\['m'\]: 1 of 1 numbers",
    ),
    "optimizer of text": (trained(optimizer="sgd"), "training.optimizer: .* got 'sgd'"),
    "no groups": (
        trained(optimizer=optimizer(param_groups=[])), "param_groups: expected 1 to",
    ),
    "group of a number": (
        trained(optimizer=optimizer(param_groups=[3])), r"param_groups\[0\]: .* got 3",
    ),
    "scale of text": (trained(scaler={"scale": "x"}), r"scaler\.scale: .* got 'x'"),
    "negative counter": (trained(stale=-1), "training.stale: .* got -1"),
    "best of text": (trained(best="x"), "training.best: expected a number, got 'x'"),
    "due 1": (trained(evaluation_due=1), "evaluation_due: .* one of True, False, got 1"),
    "short random state": (
        trained(rng=[torch.zeros(16, dtype=torch.uint8)]), r"rng\[0\]: .* \[5056\], got \[16\]",
    ),
    "random state of floats": (trained(rng=[torch.zeros(5056)]), r"rng\[0\]: .* got float32"),
    "no random state": (trained(rng=[]), "training.rng: expected 1 to 100,000 entries"),
    "precision fp8": (trained(precision="fp8"), "precision: .* fp32, fp16, bf16, got 'fp8'"),
    "no steps": (trained(steps=0), "training.steps: .* got 0"),
    "batch of 0": (trained(batch_size=0), "training.batch_size: .* got 0"),
    "batch of 1e9": (trained(batch_size=10**9), "training.batch_size: .* got 1000000000"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_one_line(tmp_path: Path, name: str) -> None:
    change, message = FAULTS[name]
    torch.save(content(**change), tmp_path / "x.pth")
    for read in (load_checkpoint, open_weights):
        with pytest.raises(InputError, match=message) as caught:
            read(tmp_path / "x.pth")
        said = str(caught.value)
        assert said.startswith(f"checkpoint {tmp_path / 'x.pth'}: ")
        assert "\n" not in said and len(said) < 600


def test_all_that_is_wrong_is_in_one_line(tmp_path: Path) -> None:
    torch.save(content(step=-1, class_names="a", weights={"w": torch.tensor(NAN)}), tmp_path / "x")
    with pytest.raises(InputError, match=r"class_names: .*; weights\['w'\]: .*; step: .* got -1$"):
        load_checkpoint(tmp_path / "x")
    torch.save(content(weights={str(i): torch.tensor(NAN) for i in range(99)}), tmp_path / "x")
    with pytest.raises(InputError, match=r"\['9'\]: 1 of 1 numbers are NaN or infinite; and more$"):
        load_checkpoint(tmp_path / "x")


@pytest.mark.parametrize(
    "change",
    [
        {"training": {}},
        {"category_ids": None, "operating_point": None},
        {"metrics": {"AP": NAN, "MR": INF}},
        {"settings": {"tta_scales": ("400", "500"), "milestones": [0.5, 1], "data_dir": None}},
        {"class_names": ["\ud800x", "x" * 1000]},
        {"weights": {"w": torch.ones(2), "n": torch.tensor(3), "e": torch.ones(0, 4)}},
        {"weights": dict.fromkeys("ab", torch.ones(9)), "more": object.__name__},
        {"weights": torch.nn.Linear(2, 3).state_dict()},
        trained(optimizer=optimizer(state={})),
        trained(scaler={}, gpu_rng=[torch.zeros(16, dtype=torch.uint8)], best=INF),
    ],
)
def test_what_is_sound_is_read(tmp_path: Path, change: Change) -> None:
    torch.save(content(**change), tmp_path / "x.pth")
    read = load_checkpoint(tmp_path / "x.pth")
    for name, value in change.items():
        if name in ("settings", "metrics", "training"):
            assert str(getattr(read, name)) == str(value)
    assert read.weights.keys() == content(**change)["weights"].keys()


def test_older_checkpoints_lack_parts(tmp_path: Path) -> None:
    old = content(
        training={
            k: training()[k] for k in ("model", "optimizer", "scaler", "best", "stale", "rng")
        }
    )
    for name in ("category_ids", "operating_point"):
        del old[name]
    torch.save(old, tmp_path / "x.pth")
    read = load_checkpoint(tmp_path / "x.pth")
    assert read.category_ids is None and read.score == 0.3 and read.training["stale"] == 0


def test_attributes_of_tensors_are_left_behind(tmp_path: Path) -> None:
    odd = parameter(numel=3, untyped_storage="no", detach=None)
    torch.save(content(weights={"w": odd}), tmp_path / "x.pth")
    (tensor,) = load_checkpoint(tmp_path / "x.pth").weights.values()
    assert type(tensor) is Tensor and tensor.numel() == 6 and not vars(tensor)


def rewritten(
    data: bytes, changes: dict[str, bytes], compression: int = zipfile.ZIP_STORED
) -> bytes:
    """A file of ``torch.save`` with other records, by the end of their names."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", compression) as new:
        for record in old.infolist():
            name = record.filename.partition("/")[2]
            new.writestr(record.filename, changes.get(name, old.read(record)))
    return out.getvalue()


def saved(value: object) -> bytes:
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


def pickled(operations: bytes) -> bytes:
    """A file whose pickle is written by hand."""
    return rewritten(saved(content()), {"data.pkl": operations})


def older(operations: bytes) -> bytes:
    """The same in the format without an archive."""
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "type_sizes": {}})
    return b"".join(pickle.dumps(each, 2) for each in head) + operations + pickle.dumps([], 2)


VAST = struct.pack("<i", 2 * 10**9)
BYTEARRAY = b"\x80\x02c__builtin__\nbytearray\nJ" + VAST + b"\x85R."
PUNYCODE = b"\x80\x02c_codecs\nencode\nX\x02\0\0\0abX\x08\0\0\0Punycode\x86R."
DTYPE = b"\x80\x02cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x0b\0\0\0V1999999999\x85R\x85R."
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "deflated": (
        lambda: rewritten(saved(content()), {"data/0": bytes(400_000_000)}, zipfile.ZIP_DEFLATED),
        "is compressed; expected a file as torch.save writes it",
    ),
    "deflated names": (
        lambda: rewritten(saved(content()), {}, zipfile.ZIP_DEFLATED), "data.pkl' is compressed",
    ),
    "a bytearray": (lambda: pickled(BYTEARRAY), "it holds a bytearray"),
    "a bytearray of old": (lambda: older(BYTEARRAY), "it holds a bytearray"),
    "an archive behind a pickle": (
        lambda: older(BYTEARRAY) + saved(content()), "it holds a bytearray",
    ),
    "a slow encoding": (lambda: pickled(PUNYCODE), "it names the encoding 'Punycode'"),
    "a vast number": (lambda: pickled(DTYPE), "expected the type of a number, got 'V1999999999'"),
    "many names": (
        lambda: pickled(pickle.dumps(["name"] * 17 * 10**6, 2)), "at most 4,194,304 bytes beside",
    ),
    "a storage of another size": (
        lambda: rewritten(saved(content()), {"data/0": bytes(8)}), "not a checkpoint that can be",
    ),
}  # fmt: skip


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    for number, (make, _) in enumerate(FILES.values()):
        (tmp_path / f"{number}.pth").write_bytes(make())
    imports = "from otadet.engine.weights import open_weights\nfrom otadet.errors import InputError"
    done = limited(imports, READ_ALL, tmp_path, len(FILES), memory=1 << 28)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(FILES)
    for (name, (_, message)), line in zip(FILES.items(), lines):
        assert message in line, name


READ_ALL = """
for number in range(int(sys.argv[2])):
    try:
        open_weights(f"{sys.argv[1]}/{number}.pth")
    except InputError as error:
        print(error)
"""
