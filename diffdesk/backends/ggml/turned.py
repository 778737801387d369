"""The embedding turned around, (vocabulary, hidden) in float16, for self-conditioning.

The mean embedding under a distribution is a product over the vocabulary, and ggml multiplies along rows. Without this
copy the embedding is turned a part at a time in every step: a third of a step's time on a processor. The copy takes
1.4 GiB for the full model, so it is made only where there is room.
"""

from __future__ import annotations

from collections.abc import Callable

from diffdesk.backends.ggml.compute import Buffer, Computation
from diffdesk.backends.ggml.devices import HOST, Device
from diffdesk.backends.ggml.graph import Node, Tensors
from diffdesk.backends.ggml.network import TURNED, Network, embedding_parts
from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.gguf.types import TensorType


class TurnedEmbedding:
    """The copy; `network` makes the operators of the model in a graph.

    `progress` is told the share that is done, and may raise `Cancelled`.
    """

    def __init__(
        self,
        of: Architecture,
        device: Device,
        network: Callable[[Computation], Network],
        place: int = HOST,
        progress: Callable[[float], None] = lambda _share: None,
    ) -> None:
        self._context = Tensors(2)
        self.node: Node = self._context.tensor(int(TensorType.F16), of.vocab_size, of.hidden)
        self._buffer = Buffer(self._context, device, place, is_weights=True)
        try:
            for begin, many in embedding_parts(of.vocab_size):
                progress(begin / of.vocab_size)
                with Computation(device, 64) as computation:
                    into = computation.build.view(self.node, (many, of.hidden), begin * 2)
                    computation.need(computation.build.copied(network(computation).turned_part(begin, many), into))
                    computation.run()
        except BaseException:
            self.close()
            raise

    @property
    def nodes(self) -> dict[str, Node]:
        """It, under the name that `Network` looks for."""
        return {TURNED: self.node}

    def close(self) -> None:
        """Free it."""
        self._buffer.close()
        self._context.close()
