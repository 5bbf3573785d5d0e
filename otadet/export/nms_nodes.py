"""Class-wise NMS in ONNX, appended to a graph that ends in boxes and scores.

ONNX's own ``NonMaxSuppression`` keeps images and classes apart by itself. Moving the boxes of each
class to a place of its own, the usual substitute, costs precision: with 80 classes and 8 images of
1,333 px a float32 coordinate is off by a sixteenth of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from otadet.postprocess import Postprocess

RAW_OUTPUTS = ("raw_boxes", "raw_scores", "nms_scores")
"""Tensors that the graph must have: boxes ``[B, A, 4]``, scores ``[B, A, C]``, and the scores with
0 where NMS may ignore them."""


def append_nms(model: ModelProto, postprocess: Postprocess, batch: int | str) -> None:
    """Append NMS in place, so that the graph's outputs are detections.

    The outputs are ``boxes [B, D, 4]`` float32 xyxy of the input frame, not clipped,
    ``scores [B, D]`` float32 and ``labels [B, D]`` int64, where ``D`` is
    ``postprocess.max_detections``, sorted by falling score. Unused places hold zeros and label -1.

    Args:
        model: with the outputs :data:`RAW_OUTPUTS`.
        postprocess: thresholds and number of detections.
        batch: number of images, or the name of that axis.
    """
    graph = model.graph
    keep = postprocess.max_detections
    graph.initializer.extend(_constants(postprocess))
    graph.node.extend(_nodes())
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [batch, keep, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, keep]),
            helper.make_tensor_value_info("labels", TensorProto.INT64, [batch, keep]),
        ]
    )


def _constants(postprocess: Postprocess) -> list[TensorProto]:
    keep = postprocess.max_detections
    values: dict[str, Sequence[float] | np.floating | np.integer] = {
        "nms_keep": np.int64(keep),
        "nms_iou": np.float32(postprocess.nms_threshold),
        "nms_score": np.float32(postprocess.score_threshold),
    }
    scalars = [numpy_helper.from_array(np.asarray(v), name) for name, v in values.items()]
    shapes = {
        "nms_k": [keep], "nms_flat": [0, -1], "nms_spare": [0, 0, 0, keep],
        "nms_last": [2], "nms_none": [-1], "nms_zero": [0],
    }  # fmt: skip
    return scalars + [
        numpy_helper.from_array(np.array(v, np.int64), name) for name, v in shapes.items()
    ]


def _nodes() -> list[NodeProto]:
    node = helper.make_node
    float_zero = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
    return [
        # [N, 3] rows of image, class, point
        node("Transpose", ["nms_scores"], ["nms_by_class"], perm=[0, 2, 1]),
        node(
            "NonMaxSuppression",
            ["raw_boxes", "nms_by_class", "nms_keep", "nms_iou", "nms_score"],
            ["nms_chosen"],
        ),
        node("GatherND", ["nms_by_class", "nms_chosen"], ["nms_chosen_scores"]),
        # Everything but the chosen becomes 0; then the best of each image, over all classes.
        node("Shape", ["nms_by_class"], ["nms_shape"]),
        node("ConstantOfShape", ["nms_shape"], ["nms_empty"], value=float_zero),
        node("ScatterND", ["nms_empty", "nms_chosen", "nms_chosen_scores"], ["nms_sparse"]),
        node("Reshape", ["nms_sparse", "nms_flat"], ["nms_line"]),
        node("Pad", ["nms_line", "nms_spare"], ["nms_padded"]),
        node("TopK", ["nms_padded", "nms_k"], ["scores", "nms_index"]),
        # index = class * points + point
        node("Gather", ["nms_shape", "nms_last"], ["nms_points"], axis=0),
        node("Div", ["nms_index", "nms_points"], ["nms_class"]),
        node("Mod", ["nms_index", "nms_points"], ["nms_point"]),
        node("Cast", ["scores"], ["nms_found"], to=TensorProto.BOOL),
        node("Where", ["nms_found", "nms_class", "nms_none"], ["labels"]),
        node("Unsqueeze", ["nms_point", "nms_none"], ["nms_row"]),
        node("GatherND", ["raw_boxes", "nms_row"], ["nms_boxes"], batch_dims=1),
        node("Unsqueeze", ["nms_found", "nms_none"], ["nms_found_row"]),
        node("CastLike", ["nms_zero", "nms_boxes"], ["nms_no_box"]),
        node("Where", ["nms_found_row", "nms_boxes", "nms_no_box"], ["boxes"]),
    ]
