"""Memory for tensors, graphs that are planned once and computed many times, and what goes into and out of them.

Knows nothing of models.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.ggml.binding import WEIGHTS_USAGE, load
from diffdesk.backends.ggml.devices import HOST, Device, out_of_memory
from diffdesk.backends.ggml.graph import MOST_NODES, NUMPY, Builder, Node, Tensors


class Buffer:
    """Memory for all tensors of a context that have none yet, at a place of a device."""

    def __init__(self, tensors: Tensors, device: Device, place: int = HOST, *, is_weights: bool = False) -> None:
        self._library = load()
        self._address = self._library.backend_alloc_ctx_tensors_from_buft(tensors.address, device.memory(place))
        if not self._address:
            raise out_of_memory()
        if is_weights:
            self._library.backend_buffer_set_usage(self._address, WEIGHTS_USAGE)

    @property
    def bytes(self) -> int:
        """Its size."""
        return int(self._library.backend_buffer_get_size(self._address))

    def clear(self) -> None:
        """Fill it with zeros."""
        self._library.backend_buffer_clear(self._address, 0)

    def close(self) -> None:
        """Free it."""
        if self._address:
            self._library.backend_buffer_free(self._address)
            self._address = None


def write(node: Node, values: NDArray[np.generic]) -> None:
    """Fill a tensor; raises `ValueError` where size or format differ."""
    wanted = NUMPY.get(node.kind)
    if wanted is None or values.dtype != wanted or values.size != int(np.prod(node.shape)) or not node.is_dense:
        raise ValueError(f"{values.dtype}{values.shape} doesn't fill {node.shape}")
    if not load().get_data(node.address):
        raise ValueError("a tensor without memory")
    dense = np.ascontiguousarray(values)
    load().backend_tensor_set(node.address, dense.ctypes.data, 0, dense.nbytes)


def read(node: Node) -> NDArray[np.generic]:
    """The contents of a dense tensor, with numpy's order of dimensions: the row's length last."""
    made = np.empty(node.shape[::-1], NUMPY[node.kind])
    if not node.is_dense:
        raise ValueError("only dense tensors are read")
    load().backend_tensor_get(node.address, made.ctypes.data, 0, made.nbytes)
    return made


def read_bytes(node: Node) -> NDArray[np.uint8]:
    """The contents of a tensor of any format."""
    made = np.empty(load().nbytes(node.address), np.uint8)
    load().backend_tensor_get(node.address, made.ctypes.data, 0, made.nbytes)
    return made


def write_bytes(node: Node, contents: NDArray[np.uint8]) -> None:
    """Fill a tensor of any format with its bytes, uint8[n]."""
    if contents.nbytes != load().nbytes(node.address) or not contents.flags.c_contiguous:
        raise ValueError("contents of another size")
    load().backend_tensor_set(node.address, contents.ctypes.data, 0, contents.nbytes)


class Computation:
    """A graph with its inputs and outputs, planned once and computed many times.

    Use as a context manager or close it. All inputs must be written before each `run`.
    """

    def __init__(self, device: Device, most_nodes: int = MOST_NODES) -> None:
        self._device = device
        self._library = load()
        self._tensors = Tensors(most_nodes)
        self.build = Builder(self._tensors)
        self._graph = self._library.new_graph_custom(self._tensors.address, most_nodes, False)
        self._scheduler = device.scheduler(most_nodes)
        self._allocator = None if self._scheduler else self._library.gallocr_new(device.memory())
        self._is_planned = False

    def input(self, kind: int, *shape: int) -> Node:
        """A tensor to be written before each run."""
        node = self._tensors.tensor(kind, *shape)
        self._library.set_input(node.address)
        self.need(node)  # what nothing reads would get no memory
        return node

    def output(self, node: Node) -> Node:
        """Have a tensor computed and kept until the next run."""
        self._library.set_output(node.address)
        self.need(node)
        return node

    def need(self, node: Node) -> None:
        """Have a tensor computed, for what it writes."""
        self._library.build_forward_expand(self._graph, node.address)

    def plan(self) -> None:
        """Give memory to all tensors; after this inputs can be written. Raises `EngineError` where there is none."""
        if self._is_planned:
            return
        if self._scheduler:
            is_done = self._library.backend_sched_alloc_graph(self._scheduler, self._graph)
        else:
            is_done = self._library.gallocr_alloc_graph(self._allocator, self._graph)
        if not is_done:
            raise out_of_memory()
        self._is_planned = True

    @property
    def bytes(self) -> int:
        """Memory that it works in, on a card if there is one."""
        if self._scheduler:
            count = int(self._library.backend_sched_get_n_backends(self._scheduler))
            backends = (self._library.backend_sched_get_backend(self._scheduler, index) for index in range(count))
            return sum(int(self._library.backend_sched_get_buffer_size(self._scheduler, one)) for one in backends)
        return int(self._library.gallocr_get_buffer_size(self._allocator, 0))

    @property
    def splits(self) -> int:
        """Parts in which it is computed, each on the processor or on the card; 1 without a card."""
        return int(self._library.backend_sched_get_n_splits(self._scheduler)) if self._scheduler else 1

    def run(self) -> None:
        """Compute all outputs."""
        self.plan()
        self._device.compute(self._graph, self._scheduler)

    def close(self) -> None:
        """Free graph and memory."""
        if self._scheduler:
            self._library.backend_sched_free(self._scheduler)
        if self._allocator:
            self._library.gallocr_free(self._allocator)
        self._scheduler = self._allocator = None
        self._tensors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
