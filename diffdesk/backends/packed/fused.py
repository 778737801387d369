"""The operators of a layer by Triton kernels, for NVIDIA GPUs from compute capability 8.0 on.

Compiled when they are first used, in a few seconds, and kept on the disk. Computes what `operators.PlainOperators`
does, with fewer roundings between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from diffdesk.backends.packed import attention_kernel, kernels, sampling_kernels
from diffdesk.backends.packed.device import limits_of, stream_for
from diffdesk.backends.packed.operators import LayerCache, Places
from diffdesk.backends.packed.weights import LayerWeights, Routing
from diffdesk.backends.transformers_backend.reduction import StepInputs

NUMBERS = 5  # of each position
SCAN = 2048  # tokens of the vocabulary that one program looks at
_SORT = 1024
_ROUTED, _SPAN = 32, 256  # rows and columns of the router's product that one program looks at


@dataclass(frozen=True, slots=True)
class Tiling:
    """How attention is cut: rows and columns of a tile, warps, stages, and programs wanted to fill the device."""

    rows: int
    columns: int
    warps: int
    stages: int
    programs: int


class FusedOperators:
    """The operators on one device.

    Args:
        epsilon: of all norms.
        device: the GPU; Triton's interpreter also takes the CPU.
    """

    def __init__(self, epsilon: float, device: torch.device) -> None:
        self._epsilon = epsilon
        self._side: torch.cuda.Stream | None = None
        self._shared, self._processors = 227 * 1024, 1
        if device.type == "cuda":
            limits = limits_of(device)
            self._shared, self._processors = limits.shared, limits.processors
            self._side = stream_for("beside", device)

    def norm(self, x: Tensor, weight: Tensor | None) -> Tensor:
        width = x.shape[-1]
        out = torch.empty_like(x)
        block = triton.next_power_of_2(width)
        kernels.norm[(x.numel() // width,)](
            (x, weight, out),
            (width, self._epsilon),
            block=block,
            has_weight=weight is not None,
            num_warps=_warps(block),
        )
        return out

    def heads(self, projected: Tensor, layer: LayerWeights, cache: LayerCache, places: Places) -> Tensor:
        rows, width = projected.shape[0], layer.head_dim
        queries = projected.new_empty(rows, layer.heads, width)
        count = layer.heads + layer.key_heads * (2 if layer.has_values else 1)
        kernels.heads[(rows, count)](
            (projected, queries, layer.query_norm, layer.key_norm),
            (places.cosines, places.sines),
            (cache.keys, cache.values, places.slot),
            (layer.heads, layer.key_heads, width, projected.stride(0), self._epsilon),
            half=triton.next_power_of_2(width // 2),
            has_values=layer.has_values,
            num_warps=1,
        )
        return queries

    def attend(self, queries: Tensor, cache: LayerCache, places: Places) -> Tensor:
        rows, heads, width = queries.shape
        key_heads = cache.keys.shape[1]
        group, tiling = heads // key_heads, self._tiling(width)
        tiles = triton.cdiv(rows * group, tiling.rows) * key_heads
        splits = 1
        while splits < 8 and tiles * splits * 2 <= tiling.programs:
            splits *= 2
        out = queries.new_empty(rows, heads * width)
        target, marks = out, out
        if splits > 1:
            target = queries.new_empty(splits, rows * heads, width)
            marks = queries.new_empty(splits, rows * heads, dtype=torch.float32)
        attention_kernel.attend[(tiles // key_heads, key_heads, splits)](
            (queries, cache.keys, cache.values, target, marks),
            (places.first, places.last),
            (rows, key_heads, group, splits),
            width=width,
            rows=tiling.rows,
            columns=tiling.columns,
            num_warps=tiling.warps,
            num_stages=tiling.stages,
        )
        if splits > 1:
            attention_kernel.combine[(rows * heads,)](
                (target, marks, out), rows * heads, width=width, splits=splits, num_warps=1
            )
        return out

    def _tiling(self, width: int) -> Tiling:
        """Tiles that fit the shared memory: a row is 2 · width bytes of queries, a column twice that in each stage."""
        programs = self._processors
        if width <= 256:
            if self._shared >= 160 * 1024:
                return Tiling(128, 32, 8, 3, programs)
            return Tiling(64, 32, 4, 3 if self._shared >= 96 * 1024 else 2, programs)
        if self._shared >= 132 * 1024:
            return Tiling(64, 32, 8, 2, programs)
        return Tiling(16, 32, 4, 1, programs)

    def after_attention(
        self, residual: Tensor, attended: Tensor, layer: LayerWeights
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rows, width = residual.shape
        outputs = tuple(torch.empty_like(residual) for _ in range(4))
        block = triton.next_power_of_2(width)
        kernels.after_attention[(rows,)](
            (residual, attended),
            (layer.after_attention, layer.before_dense, layer.before_experts, layer.router_scale),
            outputs,
            (width, self._epsilon, width**-0.5),
            block=block,
            is_interleaved=layer.experts.is_interleaved,
            num_warps=_warps(block),
        )
        return outputs[0], outputs[1], outputs[2], outputs[3]

    def route(self, x: Tensor, layer: LayerWeights, used: int) -> Routing:
        rows, width = x.shape
        experts = layer.router.shape[0]
        entries, splits = rows * used, triton.cdiv(width, _SPAN)
        parts = torch.empty(splits, rows, experts, dtype=torch.float32, device=x.device)
        block = max(16, triton.next_power_of_2(experts))
        kernels.scores[(triton.cdiv(rows, _ROUTED), splits)](
            (x, layer.router, parts),
            (rows, experts, width, _SPAN),
            rows=_ROUTED,
            block=block,
            columns=min(64, _SPAN),
            num_warps=4,
        )
        chosen = torch.empty(rows, used, dtype=torch.int32, device=x.device)
        shares = torch.empty(rows, used, dtype=torch.float32, device=x.device)
        kernels.route[(rows,)](
            (parts, layer.expert_scales, chosen, shares),
            (rows, experts),
            used=used,
            block=block,
            places=triton.next_power_of_2(used),
            splits=splits,
            num_warps=1,
        )
        offsets, order = _numbers(x, experts + 1), _numbers(x, entries)
        slots = torch.empty(rows, used, dtype=torch.int32, device=x.device)
        kernels.sort[(experts,)]((chosen, offsets, order, slots), entries, block=_SORT, num_warps=4)
        return Routing(chosen, shares, offsets, order, slots)

    def gated(self, both: Tensor) -> Tensor:
        rows, width = both.shape[0], both.shape[1] // 2
        out = both.new_empty(rows, width)
        block = min(1024, triton.next_power_of_2(width))
        kernels.gated[(rows, triton.cdiv(width, block))]((both, out), width, block=block, num_warps=4)
        return out

    def after_experts(
        self,
        residual: Tensor,
        branches: tuple[Tensor, Tensor, Routing],
        layer: LayerWeights,
        ends: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        rows, width = residual.shape
        dense, experts, routing = branches
        scalar, following = ends
        out, normed = torch.empty_like(residual), torch.empty_like(residual)
        block = triton.next_power_of_2(width)
        kernels.after_experts[(rows,)](
            (residual, dense, experts, routing.slots, routing.shares),
            (layer.after_dense, layer.after_experts, layer.after_both, scalar, following),
            (out, normed),
            (width, self._epsilon),
            used=routing.chosen.shape[1],
            block=block,
            num_warps=_warps(block),
        )
        return out, normed

    def reduce(self, logits: Tensor, inputs: StepInputs, cap: float) -> Tensor:
        rows, vocabulary = logits.shape
        block = min(SCAN, triton.next_power_of_2(vocabulary))
        blocks = triton.cdiv(vocabulary, block)
        device = logits.device
        found = torch.empty(rows, blocks, sampling_kernels.STATISTICS, dtype=torch.float32, device=device)
        best = torch.empty(rows, blocks, dtype=torch.int32, device=device)
        result = torch.empty(rows, NUMBERS, dtype=torch.float32, device=device)
        chosen = torch.empty(rows, dtype=torch.int32, device=device)
        sums = torch.empty(rows, 3, dtype=torch.float64, device=device)
        numbers = (vocabulary, float(cap))
        sampling_kernels.scan[(rows, blocks)](
            (logits, inputs.temperature, found, best),
            numbers,
            blocks,
            block=block,
            statistics=sampling_kernels.STATISTICS,
            num_warps=4,
        )
        sampling_kernels.decide[(rows,)](
            (logits, found, best),
            (inputs.canvas, inputs.temperature, inputs.uniforms),
            (result, chosen, sums),
            (*numbers, blocks, NUMBERS),
            places=triton.next_power_of_2(blocks),
            statistics=sampling_kernels.STATISTICS,
            num_warps=1,
        )
        sampling_kernels.spread[(rows, blocks)](
            (logits, inputs.temperature, chosen, sums), (result,), (*numbers, NUMBERS), block=block, num_warps=4
        )
        return result

    def beside(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        side = self._side
        if side is None:
            made = work()
            return lambda: made
        here = torch.cuda.current_stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):
            result = work()

        def joined() -> Tensor:
            here.wait_stream(side)
            return result

        return joined


def _numbers(x: Tensor, length: int) -> Tensor:
    return torch.empty(length, dtype=torch.int32, device=x.device)


def _warps(block: int) -> int:
    """Of a program that holds a whole row: 16 values for each thread."""
    return max(1, min(16, block // 512))
