"""The experts of a layer, with their matrices packed: from the rows of tokens to the sorted rows of their experts.

Three ways, the first that can run is taken: `NativeExperts` multiplies by the packed matrices themselves, for NVIDIA
GPUs from compute capability 8.0 on; `UnpackedExperts` unpacks a few experts at a time for torch's grouped product;
`ReferenceExperts` unpacks one after the other, on any device.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.packed import experts_kernel
from diffdesk.backends.packed.device import limits_of
from diffdesk.backends.packed.native import CudaKernel, can_compile
from diffdesk.backends.packed.nvfp4 import PackedMatrices
from diffdesk.backends.packed.weights import Experts, Routing
from diffdesk.core.errors import EngineError

log = logging.getLogger(__name__)

AT_A_TIME = 16  # experts that are unpacked together: 127 MB in the published size

_Product = Callable[[Tensor, Tensor, PackedMatrices], Tensor]


class PlainExperts:
    """Products by unpacked matrices; they wait for the device, for the ends of the experts' rows.

    Args:
        multiply: sorted rows [R, k] times the matrices of their experts; expert e has the rows from offsets[e] to
            offsets[e + 1].
    """

    is_interleaved = False
    waits = True

    def __init__(self, gate_up: PackedMatrices, down: PackedMatrices, multiply: _Product) -> None:
        self._gate_up, self._down, self._multiply = gate_up, down, multiply

    def __call__(self, x: Tensor, routing: Routing) -> Tensor:
        rows = x[routing.order.long() // routing.chosen.shape[1]]
        gate, up = self._multiply(rows, routing.offsets, self._gate_up).chunk(2, -1)
        return self._multiply(functional.gelu(gate, approximate="tanh") * up, routing.offsets, self._down)


def one_by_one(x: Tensor, offsets: Tensor, matrices: PackedMatrices) -> Tensor:
    """Each expert by itself, on any device."""
    out = x.new_empty(len(x), matrices.packed.shape[1])
    ends = offsets.tolist()
    for expert, (begin, end) in enumerate(pairwise(ends)):
        if end > begin:
            out[begin:end] = functional.linear(x[begin:end], matrices.values(expert, expert + 1, x.dtype)[0])
    return out


def some_at_a_time(x: Tensor, offsets: Tensor, matrices: PackedMatrices) -> Tensor:
    """By torch's grouped product, for GPUs on which nothing multiplies by packed matrices."""
    out = x.new_empty(len(x), matrices.packed.shape[1])
    ends = offsets.tolist()
    for first in range(0, len(ends) - 1, AT_A_TIME):
        last = min(first + AT_A_TIME, len(ends) - 1)
        begin, end = ends[first], ends[last]
        if end > begin:
            values = matrices.values(first, last, x.dtype).transpose(1, 2)
            out[begin:end] = functional.grouped_mm(x[begin:end], values, offs=offsets[first + 1 : last + 1] - begin)
    return out


class NativeExperts:
    """Products by the packed matrices, see `experts_kernel`. Rows come interleaved.

    Takes the matrices over: they are put in another order and are gone afterwards, so that nothing is there twice.
    """

    is_interleaved = True
    waits = False

    def __init__(self, gate_up: PackedMatrices, down: PackedMatrices, kernels: ExpertKernels) -> None:
        self._kernels = kernels
        self._gate_up = _Arranged.of(gate_up, is_gated=True)
        self._down = _Arranged.of(down, is_gated=False)

    def __call__(self, x: Tensor, routing: Routing) -> Tensor:
        return self._kernels.run(x, routing, self._gate_up, self._down)


@dataclass(frozen=True, slots=True)
class _Arranged:
    """Matrices in the kernels' order, and their factors, float32[E, m]."""

    blocks: Tensor
    wholes: Tensor

    @staticmethod
    def of(matrices: PackedMatrices, *, is_gated: bool) -> _Arranged:
        blocks = experts_kernel.arranged(matrices.packed, matrices.scales, is_gated=is_gated)
        empty = matrices.packed.new_empty(0)
        matrices.packed, matrices.scales = empty, empty
        return _Arranged(blocks, matrices.wholes)


class ExpertKernels:
    """The two products of one shape, compiled for one device.

    Args:
        hidden, width: columns of the gate matrix, and of the down matrix.
        experts: how many there are.

    Raises `EngineError` where they can't be compiled.
    """

    def __init__(self, hidden: int, width: int, experts: int, device: torch.device) -> None:
        limits = limits_of(device)
        # As many blocks on a multiprocessor as registers allow, two at least, even if that leaves each a shorter ring.
        stages, blocks = next(
            (stages, blocks)
            for stages, blocks in ((4, 3), (4, 2), (2, 2))
            if limits.shared_of_processor >= blocks * (stages * experts_kernel.STAGE_BYTES + 1024) or stages == 2
        )
        shared = stages * experts_kernel.STAGE_BYTES
        self._hidden, self._width, self._experts = hidden, width, experts

        def compiled(is_gated: int, columns: int, out: int) -> CudaKernel:
            ring = {"STAGES": stages, "BLOCKS": blocks, "EXPERTS": experts}
            defines = {"IS_GATED": is_gated, "COLUMNS": columns, "OUT": out, **ring}
            return CudaKernel(experts_kernel.SOURCE, "product", defines, shared, device)

        self._gated, self.plain = compiled(1, hidden, width), compiled(0, width, hidden)

    def run(self, x: Tensor, routing: Routing, gate_up: _Arranged, down: _Arranged) -> Tensor:
        """Sorted rows [T·K, H] from interleaved rows [T, H]."""
        entries = len(routing.order)
        units = min(entries, self._experts + entries // experts_kernel.TOKENS)  # there can't be more
        inner = x.new_empty(entries, self._width)
        out = x.new_empty(entries, self._hidden)
        used = routing.chosen.shape[1]
        for kernel, matrices, tiles, source, target in (
            (self._gated, gate_up, self._width // 64, x, inner),
            (self.plain, down, self._hidden // experts_kernel.ROWS, inner, out),
        ):
            kernel.launch(
                (tiles, units),
                experts_kernel.THREADS,
                (matrices.blocks, matrices.wholes, source, routing.offsets, routing.order, target, used),
            )
        return out


def can_multiply_packed(hidden: int, width: int, device: torch.device) -> bool:
    """Whether the kernels know this device and these sizes."""
    fits = hidden % experts_kernel.ROWS == 0 and width % 64 == 0
    return device.type == "cuda" and fits and can_compile() and torch.cuda.get_device_capability(device)[0] >= 8


def expert_maker(model: Architecture, device: torch.device) -> Callable[[PackedMatrices, PackedMatrices], Experts]:
    """What makes a layer's experts of its packed matrices (gate and up, down), in the fastest way that can run."""
    hidden, width = model.hidden, model.expert_width
    if can_multiply_packed(hidden, width, device):
        try:
            kernels = ExpertKernels(hidden, width, model.experts, device)
        except EngineError as error:
            log.warning("no kernels for packed matrices: %s", error.details)
        else:
            return lambda gate_up, down: NativeExperts(gate_up, down, kernels)
    multiply = some_at_a_time if device.type == "cuda" else one_by_one
    return lambda gate_up, down: PlainExperts(gate_up, down, multiply)
