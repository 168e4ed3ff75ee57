"""dlib's two networks as ONNX graphs, built from the weights in their ``.dat`` files.

The shapes of the networks are those of dlib's Python tools: tools/python/src/face_recognition.cpp (``anet_type``) and
tools/python/src/cnn_face_detector.cpp (``net_type``). A convolution with a stride has no padding, one without has half
the filter (dlib/dnn/layers.h, ``con_``); an affine layer or a batch normalization is folded into the convolution before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from facerec.engine.weights import DatError, Floats, Layer, detector_settings, layers

OPSET = 17
IR_VERSION = 8
BATCH_NORM_EPS = 1e-4
"""dlib's DEFAULT_BATCH_NORM_EPS."""


class Graph:
    """Collects nodes and initializers; every method appends nodes and returns the name of the result."""

    def __init__(self, blob: bytes) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._layers: Iterator[Layer] = layers(blob)

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: np.ndarray) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def next_layer(self, *kinds: str) -> Layer:
        layer = next(self._layers, None)
        if layer is None or layer.kind not in kinds:
            raise DatError(f"expected a layer {' or '.join(kinds)}, found {layer.kind if layer else 'the end'}")
        return layer

    def finish(self) -> None:
        if (layer := next(self._layers, None)) is not None:
            raise DatError(f"a layer {layer.kind} is left over")

    def convolution(self, x: str, inputs: int, outputs: int, size: int, stride: int = 1, *, normed: bool = True) -> str:
        """The next convolution of the file, with the normalization behind it folded in."""
        (flat,) = self.next_layer("con_4").tensors
        count = outputs * inputs * size * size
        if flat.size != count + outputs:
            raise DatError(f"a convolution has {flat.size} numbers where {count + outputs} are expected")
        weights, bias = flat[:count].reshape(outputs, inputs, size, size), flat[count:]
        if normed:
            weights, bias = _fold(weights, bias, self.next_layer("affine_", "bn_con2"))
        pad = 0 if stride > 1 else size // 2
        return self.add(
            "Conv",
            x,
            self.constant(weights),
            self.constant(bias),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def model(self, output: str, inputs: list[int | str], outputs: list[int | str]) -> onnx.ModelProto:
        """The finished model: float32 ``pixels`` in, float32 ``output`` out."""
        graph = helper.make_graph(
            self.nodes,
            "facerec",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, inputs)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, outputs)],
            self.initializers,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(made, full_check=True)
        return made


def _fold(weights: Floats, bias: Floats, layer: Layer) -> tuple[Floats, Floats]:
    """Weights and bias of a convolution followed by ``layer`` (gamma then beta), computed in float64."""
    gamma, beta = (half.astype(np.float64) for half in np.split(layer.tensors[0], 2))
    if layer.kind == "bn_con2":
        means, variances = (values.astype(np.float64) for values in layer.tensors[1:])
        gamma = gamma / np.sqrt(variances + BATCH_NORM_EPS)
        beta = beta - means * gamma
    folded = weights * gamma[:, None, None, None]
    return folded.astype(np.float32), (bias * gamma + beta).astype(np.float32)


# Channels, number of blocks and whether the first of them halves the picture, from the picture's side on.
_ENCODER_LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))


def encoder(blob: bytes) -> onnx.ModelProto:
    """The face encoder. ``pixels``: (faces, 3, 150, 150) normalized RGB; ``encodings``: (faces, 128)."""
    graph = Graph(blob)
    x = graph.add("Relu", graph.convolution("pixels", 3, 32, 7, 2))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    channels, side = 32, 35
    for width, blocks, shrinks in _ENCODER_LEVELS:
        for block in range(blocks):
            if shrinks and block == 0:
                x, side = _halving_block(graph, x, channels, width, side)
            else:
                x = _block(graph, x, width)
            channels = width
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    (flat,) = graph.next_layer("fc_2").tensors
    graph.nodes.append(helper.make_node("MatMul", [x, graph.constant(flat.reshape(256, 128))], ["encodings"]))
    graph.finish()
    return graph.model("encodings", ["faces", 3, 150, 150], ["faces", 128])


def _block(graph: Graph, x: str, width: int) -> str:
    """Two convolutions beside the way straight through (dlib: ``ares``)."""
    y = graph.add("Relu", graph.convolution(x, width, width, 3))
    y = graph.convolution(y, width, width, 3)
    return graph.add("Relu", graph.add("Add", y, x))


def _halving_block(graph: Graph, x: str, channels: int, width: int, side: int) -> tuple[str, int]:
    """Two convolutions, the first with stride 2, beside an average pool (dlib: ``ares_down``).

    Where the two ways differ in channels or side, dlib's ``add_prev`` takes what is missing as zero.
    """
    y = graph.add("Relu", graph.convolution(x, channels, width, 3, 2))
    y = graph.convolution(y, width, width, 3)
    pooled = graph.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    y_side, pooled_side = (side - 3) // 2 + 1, side // 2
    out = max(y_side, pooled_side)
    y = _padded(graph, y, 0, out - y_side)
    pooled = _padded(graph, pooled, width - channels, out - pooled_side)
    return graph.add("Relu", graph.add("Add", y, pooled)), out


def _padded(graph: Graph, x: str, channels: int, pixels: int) -> str:
    """``x`` with so many zero channels behind and zero pixels below and to the right."""
    if channels == 0 and pixels == 0:
        return x
    return graph.add("Pad", x, graph.constant(np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)))


def detector(blob: bytes) -> onnx.ModelProto:
    """The MMOD face detector. ``pixels``: (1, 3, height, width) tiled pyramid; ``scores``: (1, 1, rows, columns)."""
    graph = Graph(blob)
    x, channels = "pixels", 3
    for width, stride in ((16, 2), (32, 2), (32, 2), (45, 1), (45, 1), (45, 1)):
        x = graph.add("Relu", graph.convolution(x, channels, width, 5, stride))
        channels = width
    graph.convolution(x, channels, 1, 9, normed=False)
    graph.nodes[-1].output[0] = "scores"
    graph.finish()
    made = graph.model("scores", [1, 3, "height", "width"], [1, 1, "rows", "columns"])
    settings = detector_settings(blob)
    for key, value in (
        ("window", settings.window),
        ("nms_iou", settings.nms_iou),
        ("nms_covered", settings.nms_covered),
    ):
        made.metadata_props.add(key=key, value=repr(value))
    return made
