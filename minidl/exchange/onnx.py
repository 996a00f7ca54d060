"""Models as ONNX graphs, for other runtimes (extra `onnx`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl import layers
from minidl.config import checked
from minidl.layers.windows import Windows
from minidl.models import Residual, Sequential
from minidl.validation import describe

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["to_onnx"]

Array = NDArray[Any]

OPSET = 20  # the first one with Gelu


@checked
def to_onnx(model: Sequential, path: str | Path | None = None) -> Any:
    """Return `model` as an ONNX model, as it predicts, and write it to `path` if one is given.

    The graph has one input, "input", of shape (batch, ...) with any number of samples, channels last as in minidl, and
    one output, "output". It is float32, or float64 for a model of that (not every runtime has all operators in it);
    integers for an `Embedding` are int64. Recurrent layers are `Scan`s of their steps, so that any of our activations
    may be in them.

    Args:
        model: A built `Sequential` of minidl's own layers.
        path: The file, usually with the ending ".onnx"; one that is there is replaced in one step.

    Raises:
        ImportError: If the package onnx isn't installed.
        RuntimeError: If the model isn't built.
        NotImplementedError: If it has a layer of one's own.
        OSError: If the file can't be written.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError("to_onnx: needs the extra `onnx`: pip install 'minidl[onnx]'") from error
    if not isinstance(model, Sequential):
        raise TypeError(f"to_onnx: model must be a Sequential. Received: {describe(model)}")
    if not model.built or model.input_shape is None:
        raise RuntimeError(f"to_onnx: {model.title} must be built. Received: no build")
    import minidl

    graph = _Graph(np.dtype("float64" if model.dtype == np.float64 else "float32"))
    number = onnx.helper.np_dtype_to_tensor_dtype(graph.dtype)
    given = onnx.TensorProto.INT64 if model.takes_integers else number
    out = graph.add("Identity", _layer(graph, model, "input"), name="output")
    made = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            model.name or "minidl",
            [onnx.helper.make_tensor_value_info("input", given, ["batch", *model.input_shape])],
            [onnx.helper.make_tensor_value_info(out, number, ["batch", *model.output_shape])],
            graph.constants,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=9,  # what runtimes of that opset read
        producer_name="minidl",
        producer_version=minidl.__version__,
    )
    onnx.checker.check_model(made, full_check=True)
    if path is not None:
        from minidl.saving.files import checked_path, place

        place("to_onnx", checked_path("to_onnx", path), made.SerializeToString())
    return made


class _Graph:
    """Nodes in the order of their making, and the constants that they use; those of a subgraph are its parent's."""

    def __init__(self, dtype: np.dtype[Any], parent: _Graph | None = None) -> None:
        self.dtype = dtype
        self.nodes: list[Any] = []
        self.constants: list[Any] = parent.constants if parent else []
        self._names: list[int] = parent._names if parent else [0]

    def name(self, of: str) -> str:
        """Return a new name."""
        self._names[0] += 1
        return f"{of}_{self._names[0]}"

    def add(self, op: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node with one output, and return that."""
        return self.many(op, inputs, [name or self.name(op.lower())], **attributes)[0]

    def many(self, op: str, inputs: tuple[str, ...], outputs: list[str], **attributes: Any) -> list[str]:
        """Add a node, and return its outputs."""
        import onnx

        self.nodes.append(onnx.helper.make_node(op, list(inputs), outputs, **attributes))
        return outputs

    def number(self, value: Any) -> str:
        """Return the name of a constant of the model's dtype."""
        return self._constant(np.asarray(value, self.dtype))

    def integers(self, *values: int) -> str:
        """Return the name of a vector of int64."""
        return self._constant(np.asarray(values, np.int64))

    def _constant(self, array: Array) -> str:
        import onnx

        name = self.name("constant")
        self.constants.append(onnx.numpy_helper.from_array(np.array(array, order="C"), name))
        return name


def _layer(graph: _Graph, layer: Any, x: str) -> str:
    """Add what `layer` computes, and return the name of its output."""
    for cls in type(layer).__mro__:
        if cls in _KNOWN:
            theirs = type(layer)
            if all(getattr(theirs, method, None) is getattr(cls, method, None) for method in _COMPUTING):
                return _KNOWN[cls](graph, layer, x)
            break
    raise NotImplementedError(
        f"to_onnx: only minidl's own layers can be exported. Received: {type(layer).__name__} {layer.name or ''}"
    )


# A subclass that overrides one of these computes something else.
_COMPUTING = ("forward", "forward_logits", "function", "linear", "step")


def _sequential(graph: _Graph, model: Any, x: str) -> str:
    for layer in model.layers:
        x = _layer(graph, layer, x)
    return x


def _activated(graph: _Graph, layer: Any, z: str) -> str:
    return z if layer.activation is None else _layer(graph, layer.activation, z)


def _dense(graph: _Graph, layer: Any, x: str) -> str:
    z = graph.add("MatMul", x, graph.number(layer.kernel.data))
    return _activated(graph, layer, _biased(graph, layer, z))


def _biased(graph: _Graph, layer: Any, z: str) -> str:
    return graph.add("Add", z, graph.number(layer.bias.data)) if layer.use_bias else z


def _channels_first(graph: _Graph, x: str) -> str:
    return graph.add("Transpose", x, perm=[0, 3, 1, 2])


def _channels_last(graph: _Graph, x: str) -> str:
    return graph.add("Transpose", x, perm=[0, 2, 3, 1])


def _places(windows: Windows) -> dict[str, Any]:
    """Return how windows lie, as ONNX's attributes."""
    (top, bottom), (left, right) = windows.pads
    return {"kernel_shape": windows.size, "strides": windows.strides, "pads": [top, left, bottom, right]}


def _conv2d(graph: _Graph, layer: Any, x: str) -> str:
    windows = layer.windows
    kernel = graph.number(np.transpose(layer.kernel.data, (3, 2, 0, 1)))
    y = graph.add(
        "Conv", _channels_first(graph, x), kernel, group=layer.groups, dilations=windows.dilation, **_places(windows)
    )
    return _activated(graph, layer, _biased(graph, layer, _channels_last(graph, y)))


def _pooling(op: str) -> Callable[[_Graph, Any, str], str]:
    def add(graph: _Graph, layer: Any, x: str) -> str:
        windows = layer.windows
        return _channels_last(graph, graph.add(op, _channels_first(graph, x), **_places(windows)))

    return add


def _global(op: str) -> Callable[[_Graph, Any, str], str]:
    return lambda graph, layer, x: graph.add(op, x, graph.integers(1, 2), keepdims=int(layer.keepdims))


def _flatten(graph: _Graph, layer: Any, x: str) -> str:
    return graph.add("Reshape", x, graph.integers(0, int(np.prod(layer.input_shape))))


def _reshape(graph: _Graph, layer: Any, x: str) -> str:
    return graph.add("Reshape", x, graph.integers(0, *layer.output_shape))


def _zero_padding(graph: _Graph, layer: Any, x: str) -> str:
    (top, bottom), (left, right) = layer.padding
    return graph.add("Pad", x, graph.integers(0, top, left, 0, 0, bottom, right, 0))


def _rescaling(graph: _Graph, layer: Any, x: str) -> str:
    return graph.add("Add", graph.add("Mul", x, graph.number(layer.scale)), graph.number(layer.offset))


def _along(layer: Any) -> list[int]:
    """Return the shape of a layer's vectors along its axis of a batch, the axis's size as −1."""
    axes = len(layer.input_shape) + 1
    return [-1 if i == layer.axis % axes else 1 for i in range(axes)]


def _batch_normalization(graph: _Graph, layer: Any, x: str) -> str:
    mean, variance = (layer.buffers[f"moving_{name}"].astype(np.float64) for name in ("mean", "variance"))
    factor = (layer.gamma.data if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    shift = (layer.beta.data if layer.center else 0.0) - mean * factor
    along = _along(layer)
    scaled = graph.add("Mul", x, graph.number(factor.reshape(along)))
    return graph.add("Add", scaled, graph.number(shift.reshape(along)))


def _layer_normalization(graph: _Graph, layer: Any, x: str) -> str:
    along = _along(layer)
    axis = graph.integers(along.index(-1))
    centred = graph.add("Sub", x, graph.add("ReduceMean", x, axis))
    variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axis)
    y = graph.add("Div", centred, graph.add("Sqrt", graph.add("Add", variance, graph.number(layer.epsilon))))
    if layer.scale:
        y = graph.add("Mul", y, graph.number(layer.gamma.data.reshape(along)))
    return graph.add("Add", y, graph.number(layer.beta.data.reshape(along))) if layer.center else y


def _embedding(graph: _Graph, layer: Any, x: str) -> str:
    return graph.add("Gather", graph.number(layer.embeddings.data), x)


def _residual(graph: _Graph, model: Any, x: str) -> str:
    return graph.add("Add", _sequential(graph, model, x), x)


# Recurrent layers ---------------------------------------------------------------------------------------------


def _recurrent(cell: Callable[[_Graph, Any, str, list[str]], list[str]], states: int) -> Callable[..., str]:
    """Return what adds a recurrent layer: a `Scan` over its steps, whose body is `cell`."""

    def add(graph: _Graph, layer: Any, x: str) -> str:
        import onnx

        number = onnx.helper.np_dtype_to_tensor_dtype(graph.dtype)
        batch = graph.add("Gather", graph.add("Shape", x), graph.integers(0))
        zeros = graph.add(
            "ConstantOfShape",
            graph.add("Concat", batch, graph.integers(layer.units), axis=0),
            value=onnx.numpy_helper.from_array(np.zeros(1, graph.dtype)),
        )
        body = _Graph(graph.dtype, graph)
        before = [body.name("state") for _ in range(states)]
        now = body.name("now")
        after = cell(body, layer, now, before)
        ends = [body.add("Identity", state) for state in after] + [body.add("Identity", after[0])]
        row = ["batch", layer.units]
        step = onnx.helper.make_graph(
            body.nodes,
            "step",
            [onnx.helper.make_tensor_value_info(name, number, row) for name in before]
            + [onnx.helper.make_tensor_value_info(now, number, ["batch", layer.input_shape[1]])],
            [onnx.helper.make_tensor_value_info(name, number, row) for name in ends],
        )
        outputs = graph.many(
            "Scan",
            (*[zeros] * states, x),
            [graph.name("scan") for _ in ends],
            body=step,
            num_scan_inputs=1,
            scan_input_axes=[1],
            scan_input_directions=[int(layer.go_backwards)],
            scan_output_axes=[1],
        )
        return outputs[-1] if layer.return_sequences else outputs[0]

    return add


def _parts(body: _Graph, product: str, count: int) -> list[str]:
    return body.many("Split", (product,), [body.name("part") for _ in range(count)], axis=1, num_outputs=count)


def _products(body: _Graph, layer: Any, x: str, h: str) -> str:
    z = body.add("MatMul", x, body.number(layer.kernel.data))
    z = body.add("Add", z, body.add("MatMul", h, body.number(layer.recurrent_kernel.data)))
    return _biased(body, layer, z)


def _simple_rnn(body: _Graph, layer: Any, x: str, states: list[str]) -> list[str]:
    return [_layer(body, layer.activation, _products(body, layer, x, states[0]))]


def _lstm(body: _Graph, layer: Any, x: str, states: list[str]) -> list[str]:
    h, c = states
    parts = _parts(body, _products(body, layer, x, h), 4)
    i, f, o = (_layer(body, layer.recurrent_activation, parts[k]) for k in (0, 1, 3))
    g = _layer(body, layer.activation, parts[2])
    c = body.add("Add", body.add("Mul", f, c), body.add("Mul", i, g))
    return [body.add("Mul", o, _layer(body, layer.activation, c)), c]


def _gru(body: _Graph, layer: Any, x: str, states: list[str]) -> list[str]:
    (h,) = states
    u = layer.units
    by_input = body.add("MatMul", x, body.number(layer.kernel.data))
    bias = layer.bias.data.reshape(-1, 3 * u) if layer.use_bias else np.zeros((2, 3 * u))
    z_x, r_x, g_x = _parts(body, body.add("Add", by_input, body.number(bias[0])), 3)
    kernel, own_bias = layer.recurrent_kernel.data, bias[1] if len(bias) > 1 else np.zeros(3 * u)

    def by_state(state: str, part: int) -> str:
        columns = slice(part * u, (part + 1) * u)
        product = body.add("MatMul", state, body.number(kernel[:, columns]))
        return body.add("Add", product, body.number(own_bias[columns]))

    z = _layer(body, layer.recurrent_activation, body.add("Add", z_x, by_state(h, 0)))
    r = _layer(body, layer.recurrent_activation, body.add("Add", r_x, by_state(h, 1)))
    inner = body.add("Mul", r, by_state(h, 2)) if layer.reset_after else by_state(body.add("Mul", r, h), 2)
    g = _layer(body, layer.activation, body.add("Add", g_x, inner))
    return [body.add("Add", body.add("Mul", z, body.add("Sub", h, g)), g)]  # z ⊙ h + (1 − z) ⊙ g


def _bidirectional(graph: _Graph, layer: Any, x: str) -> str:
    one, other = (_layer(graph, inner, x) for inner in layer.children)
    if layer.forward_layer.return_sequences:
        steps = layer.input_shape[0]
        turned = graph.integers(*range(steps - 1, -1, -1))
        other = graph.add("Gather", other, turned, axis=1)
    if layer.merge_mode == "concat":
        return graph.add("Concat", one, other, axis=-1)
    if layer.merge_mode == "mul":
        return graph.add("Mul", one, other)
    total = graph.add("Add", one, other)
    return graph.add("Mul", total, graph.number(0.5)) if layer.merge_mode == "ave" else total


# Activations --------------------------------------------------------------------------------------------------


def _op(op: str, **attributes: str) -> Callable[[_Graph, Any, str], str]:
    """Return what adds one node; `attributes` are ONNX's names for the layer's own."""

    def add(graph: _Graph, layer: Any, x: str) -> str:
        return graph.add(op, x, **{theirs: getattr(layer, own) for theirs, own in attributes.items()})

    return add


def _binary_step(graph: _Graph, _: Any, x: str) -> str:
    import onnx

    to = onnx.helper.np_dtype_to_tensor_dtype(graph.dtype)
    return graph.add("Cast", graph.add("GreaterOrEqual", x, graph.number(0.0)), to=to)


def _swish(graph: _Graph, _: Any, x: str) -> str:
    return graph.add("Mul", x, graph.add("Sigmoid", x))


def _softmax(graph: _Graph, layer: Any, x: str) -> str:
    return graph.add("Softmax", x, axis=layer.axis)


def _prelu(graph: _Graph, layer: Any, x: str) -> str:
    return graph.add("PRelu", x, graph.number(layer.alpha.data))


_KNOWN: dict[type, Callable[[_Graph, Any, str], str]] = {
    Residual: _residual,
    Sequential: _sequential,
    layers.Activation: lambda graph, layer, x: _layer(graph, layer.activation, x),
    layers.AveragePooling2D: _pooling("AveragePool"),
    layers.BatchNormalization: _batch_normalization,
    layers.Bidirectional: _bidirectional,
    layers.BinaryStep: _binary_step,
    layers.Conv2D: _conv2d,
    layers.Dense: _dense,
    layers.Dropout: lambda graph, layer, x: x,
    layers.ELU: _op("Elu", alpha="alpha"),
    layers.Embedding: _embedding,
    layers.Exponential: _op("Exp"),
    layers.Flatten: _flatten,
    layers.GELU: lambda graph, layer, x: graph.add("Gelu", x, approximate="tanh" if layer.approximate else "none"),
    layers.GRU: _recurrent(_gru, 1),
    layers.GlobalAveragePooling2D: _global("ReduceMean"),
    layers.GlobalMaxPooling2D: _global("ReduceMax"),
    layers.HardSigmoid: lambda graph, layer, x: graph.add("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    layers.LSTM: _recurrent(_lstm, 2),
    layers.LayerNormalization: _layer_normalization,
    layers.LeakyReLU: _op("LeakyRelu", alpha="negative_slope"),
    layers.Linear: lambda graph, layer, x: graph.add("Mul", x, graph.number(layer.a)),
    layers.LogSoftmax: lambda graph, layer, x: graph.add("LogSoftmax", x, axis=-1),
    layers.MaxPooling2D: _pooling("MaxPool"),
    layers.PReLU: _prelu,
    layers.ReLU: _op("Relu"),
    layers.Rescaling: _rescaling,
    layers.Reshape: _reshape,
    layers.SELU: _op("Selu"),
    layers.Sigmoid: _op("Sigmoid"),
    layers.SimpleRNN: _recurrent(_simple_rnn, 1),
    layers.Softmax: _softmax,
    layers.Softplus: _op("Softplus"),
    layers.Softsign: _op("Softsign"),
    layers.Swish: _swish,
    layers.Tanh: _op("Tanh"),
    layers.ZeroPadding2D: _zero_padding,
}
