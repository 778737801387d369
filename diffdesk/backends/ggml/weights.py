"""The weights of a model as tensors of ggml, left where they lie, in the mapped file, or copied to a graphics card.

Vectors and the routers' matrices, a thousandth of a model, are copied in any case and made float32. Knows the layout
of no file: it is given names, formats, shapes and places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.ggml.binding import WEIGHTS_USAGE, load
from diffdesk.backends.ggml.compute import Buffer, write, write_bytes
from diffdesk.backends.ggml.devices import CARD, HOST, Device, out_of_memory
from diffdesk.backends.ggml.graph import Node, Tensors, full_shape
from diffdesk.backends.gguf.reader import StoredTensor
from diffdesk.backends.gguf.types import TensorType

_ALIGNMENT = 32  # of tensors, in ggml


class Weights:
    """All tensors of a model by name, over the mapped parts of its file, which must outlive it.

    Args:
        stored: where each tensor lies.
        parts: the mapped files.
        place: `HOST` or `CARD` for a tensor's name. What goes to a card is copied there.
        progress: told the share that is copied; may raise `Cancelled`.
    """

    def __init__(
        self,
        device: Device,
        stored: Mapping[str, StoredTensor],
        parts: Sequence[NDArray[np.uint8]],
        place: Callable[[str], int] = lambda _name: HOST,
        progress: Callable[[float], None] = lambda _share: None,
    ) -> None:
        self._library = load()
        self._parts = list(parts)  # kept: their memory is used
        self._mapped: list[int] = []
        self._buffers: list[Buffer] = []
        self.nodes: dict[str, Node] = {}
        self._large = Tensors(len(stored) + 1)
        self._contexts = [self._large]
        buffers = [self._wrapped(part) for part in self._parts]
        moved: dict[int, dict[str, StoredTensor]] = {HOST: {}, CARD: {}}
        try:
            for name, one in stored.items():
                if _is_small(name, one) or place(name) == CARD:
                    moved[place(name)][name] = one
                else:
                    self.nodes[name] = self._placed(one, buffers[one.part])
            for where, tensors in moved.items():
                self._copy(device, where, tensors, progress)
        except BaseException:
            self.close()
            raise

    def _copy(
        self, device: Device, where: int, stored: Mapping[str, StoredTensor], progress: Callable[[float], None]
    ) -> None:
        """Put tensors into memory of their own: vectors and routers as float32, others as they are."""
        if not stored:
            return
        context = Tensors(len(stored) + 1)
        self._contexts.append(context)
        for name, one in stored.items():
            kind = TensorType.F32 if _is_small(name, one) else one.kind
            self.nodes[name] = context.tensor(int(kind), *one.shape)
        self._buffers.append(Buffer(context, device, where, is_weights=True))
        done, told, total = 0, 0.0, sum(one.bytes for one in stored.values())
        for name, one in stored.items():
            if _is_small(name, one):
                write(self.nodes[name], self._as_float(one))
            else:
                write_bytes(self.nodes[name], self._parts[one.part][one.offset : one.offset + one.bytes])
            done += one.bytes
            if where == CARD and done / total >= told:
                progress(done / total)
                told = done / total + 0.01

    def _wrapped(self, part: NDArray[np.uint8]) -> int:
        buffer: int | None = self._library.backend_cpu_buffer_from_ptr(part.ctypes.data, part.nbytes)
        if not buffer:
            raise out_of_memory()
        self._library.backend_buffer_set_usage(buffer, WEIGHTS_USAGE)
        self._mapped.append(buffer)
        return buffer

    def _placed(self, one: StoredTensor, buffer: int) -> Node:
        part = self._parts[one.part]
        if one.offset % _ALIGNMENT or one.offset + one.bytes > part.nbytes:
            raise ValueError("a tensor that is not aligned, or reaches over its file")
        node = self._large.tensor(int(one.kind), *full_shape(one.shape))
        if self._library.backend_tensor_alloc(buffer, node.address, part.ctypes.data + one.offset):
            raise out_of_memory()
        return node

    def _as_float(self, one: StoredTensor) -> NDArray[np.float32]:
        data = self._parts[one.part][one.offset : one.offset + one.bytes]
        if one.kind is TensorType.BF16:
            return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return data.view(np.float16 if one.kind is TensorType.F16 else np.float32).astype(np.float32)

    def close(self) -> None:
        """Forget the tensors, free what was copied, and let go of the mapped files."""
        self.nodes.clear()
        for buffer in self._mapped:
            self._library.backend_buffer_free(buffer)
        self._mapped.clear()
        for one in self._buffers:
            one.close()
        for context in self._contexts:
            context.close()
        self._buffers.clear()
        self._contexts.clear()
        self._parts.clear()


def _is_small(name: str, one: StoredTensor) -> bool:
    is_vector = sum(size > 1 for size in one.shape) <= 1
    is_plain = one.kind in (TensorType.F32, TensorType.F16, TensorType.BF16)
    return is_plain and (is_vector or name.endswith("ffn_gate_inp.weight"))
