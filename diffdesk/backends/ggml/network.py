"""The layers of DiffusionGemma as a graph of ggml: `transformers`' encoder and decoder, operator by operator.

One stack of layers runs in two ways, which share all weights but a scalar for each layer. Both write keys and values
of their rows into the cache and attend to a part of it; a mask says which row sees which slot. Matrices may be of any
number format that ggml multiplies; everything between them is float32.

Source: `modeling_diffusion_gemma.py` of transformers 5.23. Knows nothing of files, prompts or sampling.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from diffdesk.backends.ggml.compute import read
from diffdesk.backends.ggml.graph import Builder, Node
from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.gguf.types import TensorType

F32 = int(TensorType.F32)
TURNED = "token_embd.turned"  # beside the names of the file
_SPREAD = 4096.0
_TURNED_ROWS = 256  # of the turned embedding that are multiplied at a time
EMBEDDING_ROWS = 8192  # of the embedding that are turned to float32 at a time


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """One layer's part of the cache: float32, float16 or q8_0 (head · kv heads, slots), each."""

    keys: Node
    values: Node


@dataclass(frozen=True, slots=True)
class Sight:
    """What the rows of a graph see of one kind of layers' cache, sliding or full.

    Attributes:
        slots: int64 (rows), where the rows' own keys and values go.
        reach: slots from the first one on that are looked at.
        mask: float32 (reach, rows), 0 where a row sees a slot and −∞ where it doesn't.
    """

    slots: Node
    reach: int
    mask: Node


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that a graph works on.

    Attributes:
        count: how many.
        positions: int32 (rows), in the text.
        sliding, full: what they see in layers of either kind.
        scalar: name of the layers' scalars.
    """

    count: int
    positions: Node
    sliding: Sight
    full: Sight
    scalar: str


def embedding_parts(vocab_size: int) -> Iterator[tuple[int, int]]:
    """Begin and number of tokens of each part in which the embedding is worked through."""
    for begin in range(0, vocab_size, EMBEDDING_ROWS):
        yield begin, min(EMBEDDING_ROWS, vocab_size - begin)


ENCODER_SCALAR, DECODER_SCALAR = "enc_layer_output_scale", "layer_output_scale"


class Network:
    """Builds the parts of the model in a graph.

    Args:
        weights: all tensors of the architecture by name; vectors and the router in float32.
        memory: the cache of each layer.
        counting: int32 (`EMBEDDING_ROWS`), 0, 1, 2, …, where parts of the embedding are to be taken row by row, since
            graphics cards can't cast all formats; None where they are cast.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: Mapping[str, Node],
        memory: tuple[LayerMemory, ...],
        build: Builder,
        counting: Node | None = None,
    ) -> None:
        self._of = architecture
        self._weights = weights
        self._memory = memory
        self._build = build
        self._counting = counting
        self._has_card = counting is not None

    # --- in and out -------------------------------------------------------------------------------

    def embedded(self, ids: Node) -> Node:
        """int32 (rows) → (hidden, rows): the embedding, times √hidden."""
        return self._build.scale(self._build.rows(self._weights["token_embd.weight"], ids), math.sqrt(self._of.hidden))

    def conditioned(self, embedded: Node, soft: Node) -> Node:
        """The decoder's input from the canvas and the soft embedding of the last step, both (hidden, rows)."""
        build = self._build
        normed = self._normed(soft, "self_cond_pre_norm.weight")
        signal = self._mlp(normed, "self_cond_gate.weight", "self_cond_up.weight", "self_cond_down.weight")
        return build.rms_norm(build.add(embedded, signal), self._of.epsilon)

    def logits(self, hidden: Node) -> Node:
        """(hidden, rows) of the last layer → (vocabulary, rows), soft-capped.

        A part of the vocabulary at a time on a processor: no operator may take so long that a stop has to wait for it.
        """
        build, table = self._build, self._weights["token_embd.weight"]
        normed = self._normed(hidden, "output_norm.weight")
        if self._has_card or self._of.vocab_size <= EMBEDDING_ROWS:
            return self._capped(build.matmul(table, normed))
        made = build.space(self._of.vocab_size, hidden.shape[1])
        for begin, many in embedding_parts(self._of.vocab_size):
            part = build.view(table, (self._of.hidden, many), begin * table.strides[1])
            made = build.with_columns(made, self._capped(build.matmul(part, normed)), begin)
        return made

    def _capped(self, plain: Node) -> Node:
        return self._build.capped(plain, self._of.softcap) if self._of.softcap else plain

    def soft_embedding(self, probabilities: Node, top: int = 0) -> Node:
        """(vocabulary, rows) → (hidden, rows): the mean embedding, times √hidden.

        By the turned embedding where there is one; else the embedding is turned a part at a time, so that no second
        copy of it is needed. With `top`, only that many of the most probable tokens of each row count.
        """
        root = math.sqrt(self._of.hidden)
        if top:
            return self._build.scale(self._soft_of_best(probabilities, top), root)
        if TURNED in self._weights:
            # Flat distributions lie under what float16 holds.
            wide = self._build.scale(probabilities, _SPREAD)
            return self._build.scale(self._soft_by_turned(wide), root / _SPREAD)
        return self._build.scale(self._soft_of_all(probabilities), root)

    def turned_part(self, begin: int, many: int) -> Node:
        """(many, hidden) float32: a part of the embedding, turned; not dense."""
        table = self._weights["token_embd.weight"]
        part = self._build.view(table, (self._of.hidden, many), begin * table.strides[1])
        return self._build.permute(self._as_float(part), 1, 0, 2, 3)

    def _soft_by_turned(self, probabilities: Node) -> Node:
        """In parts on a processor, for the sake of a stop."""
        build, turned, hidden = self._build, self._weights[TURNED], self._of.hidden
        if self._has_card:
            return build.matmul(turned, probabilities)
        made = build.space(hidden, probabilities.shape[1])
        for begin in range(0, hidden, _TURNED_ROWS):
            many = min(_TURNED_ROWS, hidden - begin)
            part = build.view(turned, (self._of.vocab_size, many), begin * turned.strides[1])
            made = build.with_columns(made, build.matmul(part, probabilities), begin)
        return made

    def _soft_of_all(self, probabilities: Node) -> Node:
        build = self._build
        total: Node | None = None
        for begin, many in embedding_parts(self._of.vocab_size):
            shares = build.view(probabilities, (many, probabilities.shape[1]), begin * 4)
            product = build.matmul(build.dense(self.turned_part(begin, many)), shares)
            total = product if total is None else build.add(total, product)
        if total is None:
            raise ValueError("a model without a vocabulary")
        return total

    def _as_float(self, part: Node) -> Node:
        """Rows of the embedding in float32."""
        if part.kind == F32:
            return part
        if self._counting is None:
            return self._build.cast(part, F32)
        return self._build.rows(part, self._build.view(self._counting, (part.shape[1],)))

    def _soft_of_best(self, probabilities: Node, top: int) -> Node:
        build, hidden = self._build, self._of.hidden
        many, rows, _, _ = probabilities.shape
        top = min(top, many)
        best = build.largest(probabilities, top)
        shares = build.rows(build.reshape(probabilities, 1, many, rows), best)  # (1, top, rows)
        taken = build.rows(self._weights["token_embd.weight"], build.reshape(best, top * rows))
        turned = build.dense(build.permute(build.reshape(taken, hidden, top, rows), 1, 0, 2, 3))
        return build.reshape(build.matmul(turned, build.reshape(shares, top, 1, rows)), hidden, rows)

    # --- layers -----------------------------------------------------------------------------------

    def through(self, hidden: Node, rows: Rows) -> tuple[Node, list[Node]]:
        """All layers: (hidden, rows) in and out, and what was written into the cache on the way."""
        written: list[Node] = []
        for layer in range(self._of.layers):
            hidden, memory = self._layer(hidden, layer, rows)
            written += [memory.keys, memory.values]
        return hidden, written

    def _layer(self, hidden: Node, layer: int, rows: Rows) -> tuple[Node, LayerMemory]:
        build, name = self._build, f"blk.{layer}"
        normed = self._normed(hidden, f"{name}.attn_norm.weight")
        attended, memory = self._attention(normed, layer, rows)
        hidden = build.add(hidden, self._normed(attended, f"{name}.post_attention_norm.weight"))
        dense = self._mlp(
            self._normed(hidden, f"{name}.ffn_norm.weight"),
            f"{name}.ffn_gate.weight",
            f"{name}.ffn_up.weight",
            f"{name}.ffn_down.weight",
        )
        dense = self._normed(dense, f"{name}.post_ffw_norm_1.weight")
        mixed = self._normed(self._experts(hidden, layer), f"{name}.post_ffw_norm_2.weight")
        both = self._normed(build.add(dense, mixed), f"{name}.post_ffw_norm.weight")
        scalar = float(read(self._weights[f"{name}.{rows.scalar}.weight"]).reshape(-1)[0])
        return build.scale(build.add(hidden, both), scalar), memory

    def _normed(self, one: Node, name: str) -> Node:
        return self._build.mul(self._build.rms_norm(one, self._of.epsilon), self._weights[name])

    def _mlp(self, one: Node, gate: str, up: str, down: str) -> Node:
        build = self._build
        opened = build.gelu_times(build.matmul(self._weights[gate], one), build.matmul(self._weights[up], one))
        return build.matmul(self._weights[down], opened)

    def _experts(self, hidden: Node, layer: int) -> Node:
        """The mixture of the best experts, from the residual stream (hidden, rows)."""
        build, name, width = self._build, f"blk.{layer}", self._of.expert_width
        rows, many = hidden.shape[1], self._of.experts_used
        chosen, shares = self._routed(hidden, layer)
        one = self._normed(hidden, f"{name}.pre_ffw_norm_2.weight")
        one = build.reshape(one, self._of.hidden, 1, rows)
        opened = build.matmul_chosen(self._weights[f"{name}.ffn_gate_up_exps.weight"], one, chosen)
        gate = build.dense(build.view(opened, (width, many, rows)))
        up = build.dense(build.view(opened, (width, many, rows), width * 4))
        # The experts' shares are applied before the last product, where rows are shortest.
        inner = build.mul(build.gelu_times(gate, up), shares)
        made = build.matmul_chosen(self._weights[f"{name}.ffn_down_exps.weight"], inner, chosen)
        parts = [
            build.view(made, (self._of.hidden, rows), index * made.strides[1], (made.strides[2],) * 3)
            for index in range(many)
        ]
        total = parts[0]
        for part in parts[1:]:
            total = build.add(total, part)
        return build.dense(total) if many == 1 else total

    def _routed(self, hidden: Node, layer: int) -> tuple[Node, Node]:
        """Which experts each row takes, int32 (used, rows), and with what weight, float32 (1, used, rows)."""
        build, name, experts = self._build, f"blk.{layer}", self._of.experts
        rows, many = hidden.shape[1], self._of.experts_used
        scaled = build.scale(build.rms_norm(hidden, self._of.epsilon), self._of.hidden**-0.5)
        scaled = build.mul(scaled, self._weights[f"{name}.ffn_gate_inp.scale"])
        shares = build.softmax(build.matmul(self._weights[f"{name}.ffn_gate_inp.weight"], scaled))
        chosen = build.top(shares, many)
        weighted = build.mul(shares, self._weights[f"{name}.ffn_down_exps.scale"])
        best = build.reshape(build.rows(build.reshape(shares, 1, experts, rows), chosen), many, rows)
        taken = build.reshape(build.rows(build.reshape(weighted, 1, experts, rows), chosen), many, rows)
        return chosen, build.reshape(build.div(taken, build.row_sums(best)), 1, many, rows)

    # --- attention --------------------------------------------------------------------------------

    def _attention(self, normed: Node, layer: int, rows: Rows) -> tuple[Node, LayerMemory]:
        build, name, head = self._build, f"blk.{layer}", self._of.head_dim_of(layer)
        heads, groups = self._of.heads, self._of.kv_heads[layer]
        queries = build.reshape(build.matmul(self._weights[f"{name}.attn_q.weight"], normed), head, heads, rows.count)
        plain = build.reshape(build.matmul(self._weights[f"{name}.attn_k.weight"], normed), head, groups, rows.count)
        values = plain
        if f"{name}.attn_v.weight" in self._weights:
            values = build.matmul(self._weights[f"{name}.attn_v.weight"], normed)
            values = build.reshape(values, head, groups, rows.count)
        queries = self._turned(self._normed(queries, f"{name}.attn_q_norm.weight"), layer, rows)
        keys = self._turned(self._normed(plain, f"{name}.attn_k_norm.weight"), layer, rows)
        values = build.rms_norm(values, self._of.epsilon)
        sight = rows.sliding if self._of.is_sliding[layer] else rows.full
        held = self._memory[layer]
        wide = head * groups
        written = LayerMemory(
            build.with_rows(held.keys, build.reshape(keys, wide, rows.count), sight.slots),
            build.with_rows(held.values, build.reshape(values, wide, rows.count), sight.slots),
        )
        seen = self._attended(queries, written, sight, groups)
        return build.matmul(self._weights[f"{name}.attn_output.weight"], seen), written

    def _turned(self, one: Node, layer: int, rows: Rows) -> Node:
        if self._of.is_sliding[layer]:
            return self._build.rope(one, rows.positions, self._of.rope_base_sliding, None)
        return self._build.rope(one, rows.positions, self._of.rope_base, self._weights["rope_freqs.weight"])

    def _attended(self, queries: Node, held: LayerMemory, sight: Sight, groups: int) -> Node:
        """softmax(K·q)·V for queries (head, heads, rows) → (head · heads, rows). The scale is 1."""
        build = self._build
        head, heads, rows, _ = queries.shape
        queries = build.permute(queries, 0, 2, 1, 3)
        keys = self._by_head(held.keys, head, groups, sight.reach)
        shares = build.softmax(build.matmul(keys, queries), sight.mask)
        values = held.values
        if values.kind not in (F32, int(TensorType.F16)):
            values = build.cast(build.view(values, (values.shape[0], sight.reach)), F32)
        values = self._by_head(values, head, groups, sight.reach)
        turned = build.dense(build.permute(values, 1, 0, 2, 3))
        seen = build.dense(build.permute(build.matmul(turned, shares), 0, 2, 1, 3))
        return build.reshape(seen, head * heads, rows)

    def _by_head(self, held: Node, head: int, groups: int, reach: int) -> Node:
        """(head · groups, slots) → (head, reach, groups)."""
        values, size = TensorType(held.kind).block
        row = held.strides[1]
        return self._build.view(held, (head, reach, groups), 0, (row, head // values * size, row * reach))
