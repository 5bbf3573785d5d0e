"""An exported file equals the network in every form; a wrong one is refused."""

import itertools

import pytest
import torch
from onnx import ModelProto, checker

from otadet.errors import InputError
from otadet.export import ExportOptions, ResizeRule, Verification, to_onnx, verify
from otadet.export.session import as_input, open_session
from otadet.export.verify import SCORE_LIMIT
from otadet.export.wrapper import best_label, best_of_each_level
from otadet.postprocess import Postprocess, combined_scores
from otadet.types import GridLevel
from tests.export.networks import SIZE, experiment, generated, network, options, photos
from tests.helpers import needs_shared

VARIANTS = list(itertools.product(("none", "batch", "hw", "all"), (False, True), (False, True)))


def proven(exported: ExportOptions, **settings: object) -> Verification:
    """Export, check and compare on generated images in every shape that the file takes."""
    exp = experiment(**settings)
    model, postprocess = network(exp), exp.build_postprocess()
    export = to_onnx(model, postprocess, exported)
    checker.check_model(export.model, full_check=True)
    sizes = (SIZE, (128, 96)) if exported.free_size else (SIZE,)
    counts = (1, 2) if exported.free_batch else (1,)
    batches = [batch for size in sizes for batch in generated(*counts, size=size)]
    result = verify(export.model, model, postprocess, exported, batches)
    assert len(result.trials) == len(sizes) * len(counts)
    return result


@pytest.mark.usefixtures("older_exporter")
@pytest.mark.parametrize(("dynamic", "nms", "uint8"), VARIANTS)
def test_every_form_equals_torch(dynamic: str, nms: bool, uint8: bool) -> None:
    result = proven(options(dynamic=dynamic, nms=nms, uint8=uint8))
    assert result.passed, result
    assert result.detections.total > 20 and result.detections.share == 1


@pytest.mark.usefixtures("older_exporter")
@pytest.mark.parametrize("nms", [False, True])
def test_only_the_best_class_of_a_point(nms: bool) -> None:
    settings = {"point_labels": "best", "score_threshold": 0.3, "max_detections": 1000}
    result = proven(options(nms=nms, dynamic="batch"), **settings)
    assert result.passed, result
    every = proven(options(nms=nms, dynamic="batch"), **{**settings, "point_labels": "all"})
    assert every.passed and result.detections.total < every.detections.total


def test_the_first_of_equally_good_classes_is_the_best() -> None:
    scores = torch.tensor([[[0.2, 0.7, 0.7], [0.5, 0.1, 0.4]]])
    assert best_label(scores).tolist() == torch.tensor([[[0, 0.7, 0], [0.5, 0, 0]]]).tolist()


@pytest.mark.parametrize("changes", [{"uint8": True, "opset": 20}, {"dynamic": "all", "nms": True}])
def test_torchs_new_exporter_equals_torch(changes: dict[str, object]) -> None:
    result = proven(options(**changes), extra_levels=False)
    assert result.passed, result
    assert result.detections.total > 20 and result.detections.share == 1


@needs_shared
@pytest.mark.usefixtures("older_exporter")
@pytest.mark.parametrize("nms", [False, True])
@pytest.mark.parametrize("quality", ["iou", "none"])
def test_real_images(nms: bool, quality: str) -> None:
    exp = experiment(quality=quality, backbone="resnet18")
    model, postprocess = network(exp) if quality == "iou" else _without_quality(exp), Postprocess()
    export = to_onnx(model, postprocess, options(nms=nms))
    result = verify(export.model, model, postprocess, options(nms=nms), photos(3))
    assert result.passed and result.detections.total > 50, result


def _without_quality(exp):
    torch.manual_seed(0)
    model = exp.build_model(3).eval()
    with torch.no_grad():
        model.head.cls_out.weight.normal_(std=0.2)
        model.head.reg_out.weight.normal_(std=0.2)
    return model


@pytest.mark.usefixtures("older_exporter")
def test_nms_keeps_to_the_budget_of_candidates_and_of_detections() -> None:
    """Few candidates a level, few detections: the graph must choose as postprocess does."""
    exp = experiment()
    model = network(exp)
    postprocess = Postprocess(score_threshold=0.05, candidates=7, max_detections=9)
    export = to_onnx(model, postprocess, options(nms=True, dynamic="batch"))
    batches = generated(2, 1)
    result = verify(export.model, model, postprocess, options(nms=True, dynamic="batch"), batches)
    assert result.passed and result.detections.equal == 27, result


@pytest.mark.usefixtures("older_exporter")
@pytest.mark.parametrize("nms", [False, True])
def test_weights_that_changed_after_the_export_are_caught(nms: bool) -> None:
    exp = experiment()
    model, postprocess = network(exp), exp.build_postprocess()
    export = to_onnx(model, postprocess, options(nms=nms))
    with torch.no_grad():
        model.head.cls_out.bias[0] += 0.01
    result = verify(export.model, model, postprocess, options(nms=nms), generated(1))
    assert not result.passed and result.scores > 1e-3 and result.boxes < 1e-2


@pytest.mark.usefixtures("older_exporter")
def test_scores_next_to_nothing_may_differ_and_others_may_not() -> None:
    """A trained network's sure "no": a logit of -16 for most classes of most points."""
    exp = experiment()
    model, postprocess = network(exp), exp.build_postprocess()
    with torch.no_grad():
        model.head.cls_out.bias[1:] = -16.0
        model.head.quality_out.bias.fill_(5.0)
    form, batches = options(), generated(1)
    file = to_onnx(model, postprocess, form).model
    exact = combined_scores(*_logits(model, batches[0]), postprocess.score_rule)
    found = open_session(file.SerializeToString()).run(["scores"], _feed(batches[0]))[0]
    assert (torch.from_numpy(found) - exact).abs().max() > SCORE_LIMIT  # of all, by rounding
    assert verify(file, model, postprocess, form, batches).passed
    with torch.no_grad():
        model.head.cls_out.bias[1:] += 4.0  # 2e-4 on most scores, still far below the threshold
    result = verify(file, model, postprocess, form, batches)
    assert result.scores > SCORE_LIMIT and not result.passed and not result.detections.different


def _logits(model, batch):
    with torch.no_grad():
        preds = model(batch.images)
    return preds.cls_logits, preds.quality_logits


def _feed(batch):
    return {"images": as_input(batch.images, uint8=False)}


@pytest.mark.usefixtures("older_exporter")
def test_another_threshold_in_the_file_is_caught() -> None:
    """Boxes and scores are right and the detections are not."""
    exp = experiment()
    model, postprocess = network(exp), exp.build_postprocess()
    export = to_onnx(model, Postprocess(nms_threshold=0.3), options(nms=True))
    result = verify(export.model, model, postprocess, options(nms=True), generated(1))
    assert result.scores < 1e-4 and result.detections.different > 0 and not result.passed


@pytest.mark.usefixtures("older_exporter")
def test_nan_is_a_difference() -> None:
    exp = experiment()
    model, postprocess = network(exp), exp.build_postprocess()
    file = to_onnx(model, postprocess, options()).model
    with torch.no_grad():
        model.head.reg_out.bias[0] = float("nan")
    assert not verify(file, model, postprocess, options(), generated(1)).passed


def test_an_image_without_detections_gives_only_empty_places() -> None:
    from otadet.export.nms_nodes import append_nms

    result = _run_nms(append_nms, torch.zeros(2, 5, 3))
    assert result["labels"].tolist() == [[-1] * 4] * 2
    assert not result["boxes"].any() and not result["scores"].any()


def test_detections_by_hand() -> None:
    """Boxes 0 and 1 are the same place: one class drops the lower, another keeps its own."""
    from otadet.export.nms_nodes import append_nms

    scores = torch.zeros(2, 5, 3)
    scores[0, 0, 0], scores[0, 1, 0], scores[0, 1, 2], scores[0, 4, 1] = 0.9, 0.8, 0.5, 0.7
    scores[1, 2, 2] = 0.3
    result = _run_nms(append_nms, scores)
    assert result["labels"].tolist() == [[0, 1, 2, -1], [2, -1, -1, -1]]
    assert result["boxes"][0, :, 0].tolist() == [0, 400, 1, 0]
    assert result["boxes"][1, 0].tolist() == [200, 0, 300, 100]
    assert result["scores"][0].tolist() == pytest.approx([0.9, 0.7, 0.5, 0])


def _run_nms(append, scores):
    """The nodes alone, on two images with five boxes, the first two all but equal."""
    import onnxruntime
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info
    inputs = [value("raw_boxes", TensorProto.FLOAT, [2, 5, 4]),
              value("nms_scores", TensorProto.FLOAT, [2, 5, 3])]  # fmt: skip
    graph = helper.make_graph([], "g", inputs, [])
    opset = helper.make_opsetid("", 18)
    model: ModelProto = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    append(model, Postprocess(max_detections=4, score_threshold=0.1), 2)
    checker.check_model(model, full_check=True)
    left = torch.tensor([0.0, 1.0, 200.0, 300.0, 400.0])
    boxes = torch.stack([left, left * 0, left + 100, left * 0 + 100], dim=1).expand(2, 5, 4)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feed = {"raw_boxes": boxes.contiguous().numpy(), "nms_scores": scores.numpy()}
    return dict(zip(("boxes", "scores", "labels"), session.run(None, feed)))


def test_best_of_each_level_by_hand() -> None:
    scores = torch.tensor([[[0.1], [0.4], [0.3], [0.2]]])
    kept = best_of_each_level(scores, [GridLevel(1, 3, 8), GridLevel(1, 1, 16)], 2)
    assert kept.flatten().tolist() == pytest.approx([0, 0.4, 0.3, 0.2])


def test_a_file_of_fixed_size_has_the_letterbox_rule() -> None:
    rule = ResizeRule("shortest", (100, 150))
    assert ExportOptions(rule).rule == ResizeRule("letterbox", (128, 160))
    assert ExportOptions(rule, dynamic="hw").rule == rule


def test_wrong_use_is_one_clear_line() -> None:
    with pytest.raises(InputError, match=r"opset: expected 18 to \d+, got 17"):
        options(opset=17)
    exp = experiment()
    with pytest.raises(InputError, match="training mode"):
        to_onnx(network(exp).train(), exp.build_postprocess(), options())
