"""A denoising step of a packed model, recorded once as a CUDA graph and then played.

A step of 256 rows is some 600 launches that take longer to ask for than to do, so on a GPU everything from the canvas
to the numbers of its positions is one graph. Nothing in it depends on the length of the prefix: where keys and values
go and which of them are seen is read from the device. Beside the graph a step copies a few kilobytes in and out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffdesk.backends.packed.device import stream_for
from diffdesk.backends.packed.network import Frequencies, Network, Window, tables
from diffdesk.backends.packed.operators import Places
from diffdesk.backends.transformers_backend.reduction import SUREST, StepInputs

log = logging.getLogger(__name__)

MOST_GRAPHS = 4  # lengths of canvas that are recorded; a graph's own memory is about 100 MB


@dataclass(slots=True)
class _Canvas:
    """The fixed places of a canvas of one length: what a step reads and writes.

    Attributes:
        given: float64[2 L + 1], the canvas, the uniforms and the temperature: one copy brings them all.
        window: where the canvas stands.
        result: float32[L, 5], the numbers of the last step.
        graph: what was recorded; None until then.
    """

    given: Tensor
    window: Window
    result: Tensor
    graph: torch.cuda.CUDAGraph | None = None


class Stepper:
    """Steps of canvases after whatever the network's cache holds.

    Args:
        network: with its cache.
        frequencies: of the heads' rotation.
        records: whether steps are recorded; needs operators that don't wait for the device.
    """

    def __init__(self, network: Network, frequencies: Frequencies, *, records: bool) -> None:
        self._network = network
        self._frequencies = frequencies
        self._records = records
        weights, model = network.weights, network.model
        self._device = weights.embedding.device
        # What a step leaves for the next one; first the logits lie there, which become the probabilities.
        self._probabilities = torch.zeros(
            model.canvas_length, model.vocab_size, dtype=weights.embedding.dtype, device=self._device
        )
        self._canvases: dict[int, _Canvas] = {}
        self._length = 0

    @property
    def graph(self) -> torch.cuda.CUDAGraph | None:
        """What was recorded of the present canvas's step; for measurements."""
        return self._canvases[self._length].graph if self._length in self._canvases else None

    def begin(self, ids: Tensor, confidence: Tensor | None) -> None:
        """Stand a canvas int64[L] after the cache's end; `confidence` float32[L] as in `Denoiser.start_canvas`."""
        length, model = len(ids), self._network.model
        if length > len(self._probabilities):
            self._probabilities = self._probabilities.new_zeros(length, model.vocab_size)
            self._canvases.clear()
        self._length = length
        cache = self._network.cache
        cache.make_room(length)
        canvas = self._canvases.get(length)
        if canvas is None:
            while len(self._canvases) >= MOST_GRAPHS:
                self._canvases.pop(next(iter(self._canvases)))
            canvas = self._canvases[length] = self._new_canvas(length)
        begin = cache.length
        at = torch.arange(begin, begin + length, device=self._device)
        seen = max(0, begin - (model.window - 1))
        for places, base, first, each in (
            (canvas.window.full, 0, 0, self._frequencies.full),
            (canvas.window.sliding, cache.base, seen, self._frequencies.sliding),
        ):
            cosines, sines = tables(each, at)
            places.cosines.copy_(cosines)
            places.sines.copy_(sines)
            places.slot.fill_(begin - base)
            places.first.fill_(first - base)
            places.last.fill_(begin - base + length - 1)
        self._condition(ids, confidence)

    def _new_canvas(self, length: int) -> _Canvas:
        def numbers(*shape: int, kind: torch.dtype = torch.int32) -> Tensor:
            return torch.zeros(shape, dtype=kind, device=self._device)

        def places(width: int) -> Places:
            angles = (length, width)
            return Places(
                numbers(*angles, kind=torch.float32),
                numbers(*angles, kind=torch.float32),
                numbers(1),
                numbers(length),
                numbers(length),
            )

        full, sliding = len(self._frequencies.full), len(self._frequencies.sliding)
        return _Canvas(
            numbers(2 * length + 1, kind=torch.float64),
            Window(places(full), places(sliding)),
            numbers(length, 5, kind=torch.float32),
        )

    def _condition(self, ids: Tensor, confidence: Tensor | None) -> None:
        """What the first step is conditioned on: nothing, or a draft, the rest of each position spread evenly."""
        rows = self._probabilities[: len(ids)]
        if confidence is None:
            rows.zero_()
            return
        vocabulary = rows.shape[1]
        sure = confidence.double().clamp(1.0 / vocabulary, SUREST)
        rows.copy_(((1.0 - sure) / (vocabulary - 1))[:, None].to(rows.dtype).expand_as(rows))
        rows.scatter_(-1, ids[:, None], sure[:, None].to(rows.dtype))

    def step(
        self, ids: NDArray[np.int32], temperature: float, uniforms: NDArray[np.float64], alternatives: int
    ) -> NDArray[np.float64]:
        """float64[L, 5 + 2k] on the host, as `reduction.as_result` takes it."""
        canvas = self._canvases[self._length]
        given = torch.from_numpy(np.concatenate([ids.astype(np.float64), uniforms, [temperature]]))
        canvas.given.copy_(given.pin_memory() if canvas.given.is_cuda else given, non_blocking=True)
        if alternatives:
            return self._with_alternatives(canvas, alternatives)
        if self._records and canvas.graph is None:
            self._record(canvas)
        elif canvas.graph is not None:
            canvas.graph.replay()
        else:
            self._compute(canvas)
        return canvas.result.cpu().numpy().astype(np.float64)

    def _compute(self, canvas: _Canvas) -> None:
        """The whole step, from what was given to the result."""
        self._forward(canvas)
        self._reduce(canvas)

    def _inputs(self, canvas: _Canvas) -> StepInputs:
        length = len(canvas.result)
        given = canvas.given
        return StepInputs(given[:length].long(), given[2 * length :].float(), given[length : 2 * length], 0)

    def _forward(self, canvas: _Canvas) -> None:
        """From the canvas and the last step's probabilities to the logits, which take their place."""
        network, rows = self._network, self._probabilities[: len(canvas.result)]
        hidden = network.decode(self._inputs(canvas).canvas, rows, canvas.window)
        torch.mm(hidden, network.weights.embedding.t(), out=rows)

    def _reduce(self, canvas: _Canvas) -> None:
        rows = self._probabilities[: len(canvas.result)]
        inputs = self._inputs(canvas)
        canvas.result.copy_(self._network.operators.reduce(rows, inputs, self._network.model.softcap))

    def _record(self, canvas: _Canvas) -> None:
        """Compute a step and record another one, with the same result."""
        before = self._probabilities[: len(canvas.result)].clone()
        stream = stream_for("record", self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            self._compute(canvas)
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            self._compute(canvas)
        canvas.graph = graph
        self._probabilities[: len(canvas.result)].copy_(before)
        graph.replay()

    def _with_alternatives(self, canvas: _Canvas, many: int) -> NDArray[np.float64]:
        """The same numbers, and the most probable tokens, which are taken from the logits before they are gone."""
        self._forward(canvas)
        rows, cap = self._probabilities[: len(canvas.result)], self._network.model.softcap
        best, ids = rows.topk(many, -1)
        best = best.double()
        capped = cap * torch.tanh(best / cap) if cap else best
        self._reduce(canvas)
        numbers = canvas.result.double()
        # The first one's probability at temperature 1 is known; the others' follow from their distance to it.
        probabilities = torch.exp(capped - capped[:, :1]) * numbers[:, 3:4]
        return torch.cat([numbers, ids.double(), probabilities], -1).cpu().numpy()

    def forget(self) -> None:
        """Let graphs go, and what they hold."""
        self._canvases.clear()
        self._length = 0
