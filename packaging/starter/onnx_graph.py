"""Runs the ONNX graph of a line recogniser with torch, on a GPU and in half precision too.

Takes just the operators that PP-OCR's recognition networks are made of (opset 11), joins the pieces into which
exporters take normalisation and activations apart, and leaves out the final softmax. Knows nothing of text.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

Attributes = dict[str, Any]
Operator = Callable[[list[Tensor], Attributes], Tensor]

# What exporters write for one layer, as runs of nodes in which each takes the one before it.
_NORM = ("ReduceMean", "Sub", "Pow", "ReduceMean", "Add", "Sqrt", "Div", "Mul", "Add")
_GELU = ("Div", "Erf", "Add", "Mul", "Mul")
_JOINED = (_NORM, _GELU, ("Sigmoid", "Mul"), ("Conv", "BatchNormalization"), ("Conv", "Add"), ("MatMul", "Add"))


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation: the names of what it takes and of what it gives."""

    operator: str
    inputs: list[str]
    output: str
    attributes: Attributes


class Graph:
    """The network: a callable of float[batch, 3, height, width] that gives float[batch, columns, classes], logits.

    Attributes:
        metadata: what the file says beside the network.
        device: where it computes.

    Raises:
        ValueError: the file has an operator that is not known here.
    """

    def __init__(self, path: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        onnx = importlib.import_module("onnx")
        numpy_helper = importlib.import_module("onnx.numpy_helper")
        model = onnx.load(str(path))
        self.metadata: dict[str, str] = {one.key: one.value for one in model.metadata_props}
        self.device, self._dtype = torch.device(device), dtype
        constants = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in model.graph.initializer}
        steps = _joined(_steps(model.graph.node, onnx.helper.get_attribute_value), constants)
        unknown = {step.operator for step in steps} - _OPERATORS.keys()
        if unknown:
            raise ValueError(f"operators that are not known here: {', '.join(sorted(unknown))}")
        self._input = str(model.graph.input[0].name)
        if steps[-1].operator == "Softmax":
            steps.pop()
        self._steps, self._output = steps, steps[-1].output
        # Whole numbers are shapes and places, and single numbers fit any device: both are wanted on this side.
        self._constants = {
            name: one.to(self.device, dtype) if one.is_floating_point() and one.dim() else one
            for name, one in constants.items()
        }
        self._last_use = {name: index for index, step in enumerate(steps) for name in step.inputs}

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        values: dict[str, Tensor] = dict(self._constants)
        values[self._input] = pictures.to(self.device, self._dtype)
        for index, step in enumerate(self._steps):
            inputs = [values[name] for name in step.inputs]
            values[step.output] = _OPERATORS[step.operator](inputs, step.attributes)
            for name in step.inputs:
                if self._last_use[name] == index and name not in self._constants:
                    values.pop(name, None)
        return values[self._output]


def _steps(nodes: Sequence[Any], value_of: Callable[[Any], Any]) -> list[_Step]:
    """The nodes without those that do nothing."""
    same: dict[str, str] = {}
    steps: list[_Step] = []
    for node in nodes:
        inputs = [same.get(name, name) for name in node.input]
        if node.op_type == "Identity":
            same[node.output[0]] = inputs[0]
        else:
            attributes = {one.name: value_of(one) for one in node.attribute}
            steps.append(_Step(node.op_type, inputs, node.output[0], attributes))
    return steps


def _joined(steps: list[_Step], constants: dict[str, Tensor]) -> list[_Step]:
    """The steps with each run of `_JOINED` made into one; its constants are the inputs after the first."""
    found: list[_Step] = []
    at = 0
    while at < len(steps):
        names = next((one for one in _JOINED if _is_run(steps[at : at + len(one)], one, constants)), None)
        if names is None:
            found.append(steps[at])
            at += 1
            continue
        run = steps[at : at + len(names)]
        within = {step.output for step in run}
        others = [name for step in run[1:] for name in step.inputs if name in constants]
        first = [name for name in run[0].inputs if name not in within]
        attributes = {**run[0].attributes}
        for step in run[1:]:
            attributes.update({key: value for key, value in step.attributes.items() if key == "epsilon"})
        found.append(_Step("+".join(names), first + others, run[-1].output, attributes))
        at += len(names)
    return found


def _is_run(run: list[_Step], names: tuple[str, ...], constants: dict[str, Tensor]) -> bool:
    """Whether these steps are called so and belong together: else they take only each other, the start, constants."""
    if tuple(step.operator for step in run) != names:
        return False
    known = {run[0].inputs[0]} | {run[0].output}
    for before, step in pairwise(run):
        if not any(name in {before.output, run[1].output} for name in step.inputs):
            return False
        if any(name not in known and name not in constants for name in step.inputs):
            return False
        known.add(step.output)
    return names not in (("Conv", "Add"), ("MatMul", "Add")) or run[1].inputs[1] in constants


def _conv(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    x, weight, *bias = inputs
    dilations = attributes.get("dilations", [1, 1])
    pads = attributes.get("pads", [0, 0, 0, 0])
    if attributes.get("auto_pad", b"NOTSET") == b"SAME_UPPER":
        pads = _same_upper(x, weight.shape[2:], attributes["strides"])
    if list(pads[:2]) != list(pads[2:]):
        x = fn.pad(x, (pads[1], pads[3], pads[0], pads[2]))
        pads = [0, 0]
    return fn.conv2d(
        x,
        weight,
        bias[0].reshape(-1) if bias else None,
        tuple(attributes["strides"]),
        tuple(pads[:2]),
        tuple(dilations),
        attributes.get("group", 1),
    )


def _conv_norm(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    x, weight, scale, shift, mean, variance = inputs
    return _batch_norm([_conv([x, weight], attributes), scale, shift, mean, variance], attributes)


def _same_upper(x: Tensor, kernel: Sequence[int], strides: Sequence[int]) -> list[int]:
    """Top, left, bottom, right; the odd pixel at the end."""
    befores, afters = [], []
    for size, wide, stride in zip(x.shape[2:], kernel, strides, strict=True):
        missing = max((math.ceil(size / stride) - 1) * stride + wide - size, 0)
        befores.append(missing // 2)
        afters.append(missing - missing // 2)
    return befores + afters


def _max_pool(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    kernel, strides = attributes["kernel_shape"], attributes["strides"]
    top, left, bottom, right = _same_upper(inputs[0], kernel, strides)
    return fn.max_pool2d(fn.pad(inputs[0], (left, right, top, bottom), value=-math.inf), tuple(kernel), tuple(strides))


def _batch_norm(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    x, scale, shift, mean, variance = inputs
    return fn.batch_norm(x, mean, variance, scale, shift, False, 0.0, attributes["epsilon"])


def _layer_norm(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    x, _exponent, epsilon, scale, shift = inputs
    return fn.layer_norm(x, (x.shape[-1],), scale, shift, epsilon.item())


def _slice(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    x, starts, ends, *others = inputs
    axes = others[0].tolist() if others else range(starts.numel())
    for axis, start, end in zip(axes, starts.tolist(), ends.tolist(), strict=True):
        x = x.narrow(axis, start, min(end, x.shape[axis]) - start)
    return x


def _reshape(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    x, shape = inputs
    wanted = shape.tolist()
    return x.reshape([x.shape[index] if size == 0 else size for index, size in enumerate(wanted)])


_OPERATORS: dict[str, Operator] = {
    "+".join(_NORM): _layer_norm,
    "+".join(_GELU): lambda inputs, _: fn.gelu(inputs[0]),
    "Sigmoid+Mul": lambda inputs, _: fn.silu(inputs[0]),
    "Conv+BatchNormalization": _conv_norm,
    "Conv+Add": _conv,
    "MatMul+Add": lambda inputs, _: fn.linear(inputs[0], inputs[1].t(), inputs[2]),
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "Mul": lambda inputs, _: inputs[0] * inputs[1],
    "MatMul": lambda inputs, _: inputs[0] @ inputs[1],
    "Relu": lambda inputs, _: fn.relu(inputs[0]),
    "HardSigmoid": lambda inputs, one: (inputs[0] * one["alpha"] + one["beta"]).clamp(0, 1),
    "Softmax": lambda inputs, one: inputs[0].softmax(one["axis"]),
    "ReduceMean": lambda inputs, one: inputs[0].mean(list(one["axes"]), keepdim=bool(one.get("keepdims", 1))),
    "MaxPool": _max_pool,
    "AveragePool": lambda inputs, one: fn.avg_pool2d(inputs[0], tuple(one["kernel_shape"]), tuple(one["strides"])),
    "Concat": lambda inputs, one: torch.cat(inputs, one["axis"]),
    "Transpose": lambda inputs, one: inputs[0].permute(*one["perm"]),
    "Squeeze": lambda inputs, one: inputs[0].squeeze(tuple(one["axes"])),
    "Unsqueeze": lambda inputs, one: inputs[0].unsqueeze(one["axes"][0]),
    "Shape": lambda inputs, _: torch.tensor(inputs[0].shape),
    "Slice": _slice,
    "Reshape": _reshape,
}
