"""RetinaNet's head and deformable convolutions in a file."""

from pathlib import Path

import pytest
import torch
from onnx import TensorProto, checker, helper

from otadet.cli import export
from otadet.errors import InputError
from otadet.export import to_onnx, verify
from otadet.export.session import open_session
from otadet.models import Detector, ModulatedDeformConv2d
from tests.export.networks import checkpoint, experiment, generated, network, options

BENT = {"deform_stages": 1, "deform_head": True, "extra_levels": False}


def calm(model: Detector) -> Detector:
    """With boxes of the image's order of magnitude."""
    with torch.no_grad():
        model.head.reg_out.weight.normal_(std=0.02)
    return model


@pytest.mark.usefixtures("older_exporter")
@pytest.mark.parametrize("quality", ["iou", "none"])
@pytest.mark.parametrize("form", [{}, {"dynamic": "all", "nms": True, "uint8": True}], ids=str)
def test_retinanet_equals_torch(form: dict[str, object], quality: str) -> None:
    exp = experiment(head="retinanet", anchor_scale=6.0)
    model, post = calm(network(exp)), exp.build_postprocess()
    if quality == "none":
        model.head.quality_out = None
    export = to_onnx(model, post, options(**form))
    checker.check_model(export.model, full_check=True)
    result = verify(export.model, model, post, options(**form), generated(2 if form else 1))
    assert result.passed and result.detections.total > 20, result


def bent() -> Detector:
    model = network(experiment(**BENT))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, ModulatedDeformConv2d):
                module.offset.weight.normal_(std=0.05)
    return model


def test_deformable_convolutions_equal_torch() -> None:
    post, form = experiment(**BENT).build_postprocess(), options(opset=19)
    model = bent()
    export = to_onnx(model, post, form)
    checker.check_model(export.model, full_check=True)
    nodes = [n.op_type for n in export.model.graph.node]
    assert nodes.count("DeformConv") == 2 + 2 * 3  # two of the last stage, two towers on 3 levels
    result = verify(export.model, model, post, form, generated(1))
    assert result.passed and result.detections.total > 20, result


def test_old_opset_and_old_exporter_are_refused() -> None:
    post, model = experiment(**BENT).build_postprocess(), bent()
    with pytest.raises(InputError, match=r"opset: expected at least 19 .* got 18; give --opset 19"):
        to_onnx(model, post, options())
    with pytest.raises(InputError, match="deformable convolutions, which only torch's new exp"):
        to_onnx(model, post, options(opset=19), exporter="torchscript")


def test_the_command_ends_with_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, **BENT)
    with pytest.raises(InputError, match="give --opset 19") as error:
        export.main(["-c", str(path), "--output", str(tmp_path / "model.onnx")])
    assert "\n" not in str(error.value)
    assert {p.name for p in tmp_path.iterdir()} == {"best.pth"}


def test_an_operator_without_a_kernel_is_reported() -> None:
    """In bfloat16 onnxruntime's CPU kernels have no deformable convolution."""
    value = helper.make_tensor_value_info
    half = TensorProto.BFLOAT16
    inputs = [value("x", half, [1, 2, 4, 4]), value("w", half, [2, 2, 3, 3]),
              value("shift", half, [1, 18, 2, 2])]  # fmt: skip
    node = helper.make_node("DeformConv", ["x", "w", "shift"], ["y"], kernel_shape=[3, 3])
    graph = helper.make_graph([node], "g", inputs, [value("y", half, [1, 2, 2, 2])])
    opset = helper.make_opsetid("", 22)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
    with pytest.raises(InputError, match=r"cannot run the file .* implementation for DeformConv"):
        open_session(model.SerializeToString())
