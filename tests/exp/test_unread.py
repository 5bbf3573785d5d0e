"""A setting that the experiment does not read is an error, as a misspelt one is."""

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from otadet.cli.train import main as train
from otadet.errors import InputError
from otadet.exp import BaseExp, Exp, load_class, load_exp
from otadet.exp.yolox import YoloxExp

OLD: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("old_settings.json").read_text(encoding="utf-8")
)
"""Settings in checkpoints of the time when every experiment had those of all components."""

OF_FCOS = (
    "host=retinanet", "quality=none", "crop=0.7", "scale_range=0.5,1.5", "extra_levels=false",
    "fpn_channels=64", "anchor_scale=4", "tower_bias=true", "corners=true", "deform_head=true",
    "deform_stages=2", "aspect_grouping=false", "frozen_norm=true", "frozen_stages=2",
    "backbone_weights=none", "method=lla",
)  # fmt: skip


@pytest.mark.parametrize("word", OF_FCOS)
def test_yolox_has_no_settings_of_fcos(word: str) -> None:
    name = word.partition("=")[0]
    message = rf"yolox_nano has no setting '{name}' \(it belongs to FCOS.* experiments\)"
    cls = load_class(name="yolox_nano")
    with pytest.raises(InputError, match=message):
        cls.parse([word])
    with pytest.raises(InputError, match=message):
        cls(**Exp.parse([word]))


@pytest.mark.parametrize(
    ("experiment", "word", "message"),
    [
        ("quickstart", "mosaic=0.5", "'mosaic' .it belongs to YOLOX experiments"),
        ("quickstart", "depthwise=true", "'depthwise' .it belongs to YOLOX experiments"),
        ("faster_rcnn_r50", "head=retinanet", "'head' .it belongs to "),
        ("yolox_nano", "head_width_=3", "unknown setting 'head_width_'.*did you mean 'head_width'"),
    ],
)
def test_nor_the_others_of_one_another(experiment: str, word: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_class(name=experiment).parse([word])


@pytest.mark.parametrize(
    ("experiment", "words", "message"),
    [
        ("yolox_nano", "milestones=0.5", "schedule=cosine; it needs schedule=multistep"),
        ("fcos_r50", "final_lr=0.1", "schedule=multistep; it needs schedule=cosine"),
        ("fcos_r50", "max_epochs=3", "max_iters=90000; it needs max_iters=none"),
        ("yolox_nano", "minutes=3 max_epochs=9", "minutes=3.0; it needs minutes=none"),
        ("quickstart", "minutes=3 max_iters=9", "minutes=3.0; it needs minutes=none"),
        ("quickstart", "momentum=0.5", "optimizer=adamw; it needs optimizer=sgd"),
        ("quickstart", "aspect_grouping=false", "resize=letterbox; it needs resize=shortest"),
        ("quickstart", "scale_range=0.5,1", "resize=letterbox; it needs resize=shortest"),
        ("quickstart", "multiscale_interval=2", "multiscale=none; it needs another multiscale"),
        ("fcos_r50", "multiscale=64,96", "resize=shortest; it needs resize=letterbox"),
        ("quickstart", "train_ann=a.json", "data_dir=none; it needs another data_dir"),
        ("quickstart", "data_dir=x shapes_train=9", "data_dir=x; it needs data_dir=none"),
        ("quickstart", "cache_longest=9", "cache=none; it needs another cache"),
        ("quickstart", "anchor_scale=4", "head=fcos; it needs head=retinanet or a method with"),
        ("quickstart", "method=detr quality=none", "method=detr; it needs a method that leaves"),
        ("quickstart", "soft_sigma=0.1", "nms_kind=hard; it needs nms_kind=gaussian"),
        ("yolox_nano", "mosaic=0 shear=9", "mosaic=0.0; it needs another mosaic"),
        ("yolox_nano", "mixup_scale=1.0,2.0", "mixup=0.0; it needs another mixup"),
        ("yolox_s_coupled", "head_convs=3", "head=coupled; it needs head=decoupled"),
        ("yolov3", "depth=0.5", "backbone=darknet53; it needs backbone=cspdarknet"),
    ],
)
def test_a_setting_without_effect_beside_another_is_refused(
    experiment: str, words: str, message: str
) -> None:
    cls = load_class(name=experiment)
    name, _, value = words.split()[-1].partition("=")
    with pytest.raises(InputError, match=f"setting {name}={value}.* has no effect with {message}"):
        cls(**cls.parse(words.split()))


@pytest.mark.parametrize(
    ("experiment", "words"),
    [
        ("yolox_nano", "milestones=0.5 schedule=multistep"),
        ("fcos_r50", "max_epochs=3 max_iters=none"),
        ("quickstart", "scale_range=0.5,1 resize=shortest"),
        ("quickstart", "anchor_scale=4 head=retinanet"),
        ("quickstart", "anchor_scale=4 method=atss"),
        ("atss_r50", "anchor_scale=4"),  # whose own build_assigner reads it
        ("quickstart", "data_dir=x train_ann=a.json"),
        ("yolox_nano", "milestones=2/3,8/9"),  # what it is anyway
    ],
)
def test_with_the_other_it_is_taken(experiment: str, words: str) -> None:
    cls = load_class(name=experiment)
    given = cls.parse(words.split())
    exp = cls(**given)
    assert {name: getattr(exp, name) for name in given} == given


def test_a_class_body_is_checked_as_a_command_line_is(tmp_path: Path) -> None:
    def refused(base: str, body: str, message: str) -> None:
        file = tmp_path / f"mine_{abs(hash(body))}.py"
        file.write_text(
            "from otadet.exp import BaseExp, Exp\nfrom otadet.exp.yolox import YoloxExp\n"
            f"class Mine({base}):\n    {body}\n",
            encoding="utf-8",
        )
        with pytest.raises(InputError, match=message):
            load_class(str(file))()

    refused("YoloxExp", "fpn_channels = 64", r"Mine: Mine has no setting 'fpn_channels' \(it bel")
    refused("YoloxExp", "milestones = (0.5,)", r"Mine\.milestones=0\.5 has no effect with sched")
    refused("Exp", "optimizer, nesterov = 'adamw', True", r"Mine\.nesterov=true has no effect")
    refused("Exp", "host = 'rcnn'", r"Mine\.head: expected one of 'fcos', 'retinanet'")


def test_a_factory_of_ones_own_may_read_what_it_likes() -> None:
    class Mine(YoloxExp):
        milestones = (0.5,)

        def build_schedule(self, total: int, batch_size: int, hold: int = 0) -> Any:
            return self.milestones

    assert Mine(milestones=(0.25,)).build_schedule(8, 8) == (0.25,)


def test_host_is_called_head_today() -> None:
    said = "setting host is called head today: taking head=retinanet"
    exp = load_exp(name="quickstart", overrides=Exp.parse(["host=retinanet"]))
    assert (exp.head, exp.notices()) == ("retinanet", (said,))  # type: ignore[attr-defined]
    assert "host" not in exp.as_dict()
    with pytest.raises(InputError, match="setting head: expected one of 'fcos'"):
        Exp(host="rcnn")
    with pytest.raises(InputError, match="host: is called head today; got both"):
        Exp(host="retinanet", head="fcos")

    class Mine(Exp):
        host = "retinanet"

    assert Mine().head == "retinanet" and Mine.head == "retinanet" and not hasattr(Mine, "host")
    assert Mine().notices()[0].endswith("Mine host is called head today: taking head=retinanet")


@pytest.mark.parametrize("name", OLD)
def test_settings_of_an_old_checkpoint_are_taken(name: str) -> None:
    exp = load_class(name=name)(OLD[name])
    now = exp.as_dict()
    assert {k: v for k, v in OLD[name].items() if k in now and k != "head"} == {
        k: v for k, v in now.items() if k in OLD[name] and k != "head"
    }
    notices = exp.notices()
    if name == "ota_retinanet_r50":
        assert now["head"] == "retinanet"
        assert notices == ("saved setting host is called head today: taking head=retinanet",)
    else:
        assert now == load_exp(name=name).as_dict()
        assert notices == (("saved setting host is called head today: taking head=fcos",)
                           if name == "quickstart" else ())  # fmt: skip


def test_what_an_old_checkpoint_had_changed_in_vain_is_dropped_with_a_notice() -> None:
    old = {**OLD["yolox_nano"], "fpn_channels": 64, "host": "retinanet", "milestones": [0.5]}
    exp = load_class(name="yolox_nano")(old, max_iters=9)
    plain = load_exp(name="yolox_nano", overrides={"max_iters": 9}).as_dict()
    assert exp.as_dict() == {**plain, "milestones": [0.5]}  # kept: an override may need it
    assert sorted(exp.notices()) == [
        "dropped, since yolox_nano has no such settings: fpn_channels=64, host=retinanet",
        "saved setting milestones=0.5 has no effect with schedule=cosine; it needs "
        "schedule=multistep",
    ]


def test_an_override_may_make_a_saved_setting_idle() -> None:
    saved = Exp(tta="atss", tta_scales=("400",)).as_dict()
    exp = Exp(saved, tta="none")
    assert exp.tta_scales == ("400",) and exp.notices() == ()
    with pytest.raises(InputError, match=r"tta_scales=500 has no effect with tta=none"):
        Exp(saved, tta="none", tta_scales=("500",))
    assert exp.changed(tta="atss").tta_scales == ("400",)


def test_a_saved_setting_outlives_a_time_without_effect() -> None:
    """A run of 50 epochs that was made one of 1,000 steps, and one of epochs again."""
    saved = Exp(max_epochs=50).as_dict()
    steps = Exp(saved, max_iters=1000)
    assert Exp(steps.as_dict(), max_iters=None).max_epochs == 50


def test_a_class_body_may_count_on_an_override() -> None:
    class Mine(Exp):
        class_names = ("a", "b")

    assert Mine(data_dir="x").class_names == ("a", "b")
    with pytest.raises(InputError, match=r"Mine\.class_names=a,b has no effect with data_dir=none"):
        Mine()

    class Off(YoloxExp):
        mosaic, mixup = 0.0, 0.0

    assert Off().mixup == 0.0


def test_a_former_name_may_be_annotated() -> None:
    class Mine(Exp):
        host: Literal["fcos", "retinanet"] = "retinanet"

    assert Mine().head == "retinanet" and "host" not in Mine.hints()


def test_an_old_run_is_resumed(tmp_path: Path) -> None:
    words = [
        "-n", "yolox_nano", "-d", "cpu", "-b", "2", "-o", str(tmp_path), "data_dir=none",
        "width=0.0625", "shapes_train=4", "shapes_val=2", "shapes_size=64,64", "input_size=64,64",
        "shapes_object=16,48", "test_size=64,64", "multiscale=none", "workers=0", "max_iters=3",
    ]  # fmt: skip
    assert train(words) == 0
    for name in ("last.pth", "before_last.pth"):
        path = tmp_path / name
        content = torch.load(path, weights_only=False)
        # As such a run had them: all components, one changed in vain, one without effect.
        content["settings"] = {
            **OLD["yolox_nano"], **content["settings"], "fpn_channels": 64, "milestones": [0.5],
        }  # fmt: skip
        torch.save(content, path)
    shutil.copy(tmp_path / "before_last.pth", tmp_path / "last.pth")
    assert train(["-n", "yolox_nano", "-d", "cpu", "-o", str(tmp_path), "--resume"]) == 0
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "resumed" in log and "finished" in log


def test_a_network_of_ones_own_has_no_settings_of_others() -> None:
    class Mine(BaseExp):
        pass

    with pytest.raises(InputError, match=r"Mine has no setting 'fpn_channels'"):
        Mine(fpn_channels=3)
    with pytest.raises(InputError, match="build_backbone is missing; Mine has to define it"):
        Mine().build_model(2)
