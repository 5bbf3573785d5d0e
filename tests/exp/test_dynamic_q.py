"""``dynamic_q`` is read by every experiment whose k is a sum of IoUs, and refused by the others."""

import pytest

from otadet.assign import OTA, SimOTA
from otadet.errors import InputError
from otadet.exp import load_exp

TAKES = {
    "quickstart": {}, "ota_fcos_r50": {}, "simota_fcos_r50": {}, "yolox_nano": {},
    "ota_yolox_nano": {}, "ota_yolox_s": {}, "finetune_nano": {"assigner": "ota"},
    "ota_fcos_r18": {"method": "ota_paper"},
}  # fmt: skip


@pytest.mark.parametrize("name", TAKES)
def test_it_reaches_the_assigner(name: str) -> None:
    plain = load_exp(name=name, overrides=TAKES[name]).build_criterion().assigner
    exp = load_exp(name=name, overrides={**TAKES[name], "dynamic_q": 5})
    assert exp.build_criterion().assigner.supply.q == 5 < plain.supply.q
    assert exp.build_criterion().assigner.supply.over == plain.supply.over


@pytest.mark.parametrize(
    ("name", "settings", "kind"),
    [
        ("atss_r50", {}, "ATSS"),
        ("quickstart", {"method": "fcos"}, "FCOSAssigner"),
        ("quickstart", {"method": "lla"}, "LLA"),
        ("ota_fcos_r50", {"k": 10}, "OTA"),
    ],
)
def test_where_it_would_do_nothing_it_is_an_error(
    name: str, settings: dict[str, object], kind: str
) -> None:
    with pytest.raises(InputError, match=f"dynamic_q=5: has no effect, since the assigner {kind} "):
        load_exp(name=name, overrides={**settings, "dynamic_q": 5})
    with pytest.raises(InputError, match="setting dynamic_q: expected at least 1, got 0"):
        load_exp(name=name, overrides={**settings, "dynamic_q": 0})


def test_the_recipe_for_ones_own_data_and_what_yolox_published() -> None:
    short = load_exp(name="finetune_nano").build_criterion()
    assert (short.assigner, short.objectness) == (SimOTA.short(), "iou")
    settings = {"assigner": "simota", "objectness": "one"}
    published = load_exp(name="finetune_nano", overrides=settings).build_criterion()
    assert vars(published) == vars(load_exp(name="yolox_nano").build_criterion())
    assert published.assigner == SimOTA()
    assert load_exp(name="ota_fcos_r18").build_assigner() == OTA.short()
