"""The part of Gemma 4 that sees, as a graph of ggml: patches of an image in, soft tokens for the text model out.

Source: `modeling_gemma4.py` (`Gemma4VisionModel`) and `modeling_diffusion_gemma.py` (`get_image_features`) of
transformers 5.23, operator by operator. Matrices may be of any number format; everything between them is float32.

Only true patches are computed, no padding. They are put in such an order that the patches which become one soft token
follow each other: to the layers their order means nothing, and pooling becomes a sum of neighbours. Knows nothing of
prompts and of how images are cut into patches.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.ggml.binding import I32
from diffdesk.backends.ggml.compute import Computation, read, write
from diffdesk.backends.ggml.devices import Device
from diffdesk.backends.ggml.graph import F32, Node
from diffdesk.backends.ggml.weights import Weights
from diffdesk.backends.gguf.faults import broken_description
from diffdesk.backends.gguf.reader import Metadata, map_parts, read_gguf
from diffdesk.backends.gguf.vision_layout import (
    COLOURS,
    MOST_PATCHES,
    PATCH_EMBEDDING,
    POSITIONS,
    PROJECTION,
    STANDARD_BIAS,
    STANDARD_SCALE,
    VisionArchitecture,
)
from diffdesk.backends.gguf.vision_metadata import (
    VISION_REMEDY,
    read_vision_architecture,
    require_vision,
    vision_tensors,
)
from diffdesk.backends.image_patches import PatchSettings
from diffdesk.core.errors import CheckpointError, EngineError

MOST_GRAPHS = 6  # kept, one for each number of patches …
MOST_GRAPH_BYTES = 512 << 20  # … while they take no more than this together
SCORES = 1 << 24  # attention scores held at a time, 64 MiB; an image of 280 tokens has 100 million in each layer
MOST_TURNS = 32  # in which the scores of a layer are computed, even if that holds more of them at a time

_NODES, _LAYER_NODES, _TURN_NODES = 64, 96, 12  # of a graph, at most: once, for each layer, and for each turn in it


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a matrix takes and gives at most and at least."""

    input_min: float = -math.inf
    input_max: float = math.inf
    output_min: float = -math.inf
    output_max: float = math.inf


class VisionTower:
    """A loaded vision tower.

    Args:
        weights: all tensors of the architecture; closed with the tower.
        bounds: by the name of the matrix.
    """

    def __init__(self, of: VisionArchitecture, device: Device, weights: Weights, bounds: Mapping[str, Bounds]) -> None:
        self.of = of
        self._device = device
        self._weights = weights
        self._bounds = bounds
        self._graphs: OrderedDict[int, _TowerGraph] = OrderedDict()

    @property
    def images(self) -> PatchSettings:
        """How its images are prepared."""
        return self.of.images

    @property
    def bytes(self) -> int:
        """Memory that its graphs work in."""
        return sum(one.bytes for one in self._graphs.values())

    def encode(self, patches: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[tokens, hidden]: an image's soft tokens, by rows.

        They take the places of the image's placeholders in the encoder's input as they are: the factor √hidden, by
        which the embeddings of words are multiplied, does not apply to them.

        Args:
            patches: float32[P, 3·patch²], see `PreparedImage`.
            positions: int64[P, 2]; patches with negative ones are padding.

        Raises `Cancelled` where the device is told to stop, `EngineError` where memory runs out or numbers overflow,
        and `ValueError` for patches that don't fill whole squares or have no place in the model's tables.
        """
        is_true = (positions >= 0).all(axis=1)
        patches, positions = patches[is_true], positions[is_true]
        of = self.of
        if patches.shape != (len(positions), COLOURS * of.patch**2) or not len(patches):
            raise ValueError(f"{patches.shape} are no patches of {of.patch} × {of.patch} pixels")
        if int(positions.max()) >= of.places or len(positions) > MOST_PATCHES:
            raise ValueError(f"{len(positions)} patches, one at {positions.max()}; the model knows {of.places} places")
        order = pooling_order(positions, of.pooling)
        soft = self._graph(len(order)).run(patches[order], positions[order])
        if not np.isfinite(soft).all():
            raise EngineError(
                "The image can't be read",
                "Numbers overflowed in the vision tower.",
                "Use its file of type bf16 or f32.",
            )
        return soft

    def _graph(self, count: int) -> _TowerGraph:
        if count not in self._graphs:
            made = _TowerGraph(self.of, self._device, self._weights.nodes, self._bounds, count)
            while self._graphs and (len(self._graphs) >= MOST_GRAPHS or self.bytes + made.bytes > MOST_GRAPH_BYTES):
                self._graphs.popitem(last=False)[1].close()
            self._graphs[count] = made
        self._graphs.move_to_end(count)
        return self._graphs[count]

    def close(self) -> None:
        """Free the memory; the file stays mapped as long as the tower is referred to."""
        for one in self._graphs.values():
            one.close()
        self._graphs.clear()
        self._weights.close()


def pooling_order(positions: NDArray[np.int64], pooling: int) -> NDArray[np.int64]:
    """int64[P]: patches in the order in which those of one soft token follow each other, soft tokens by rows.

    positions: int64[P, 2], columns and rows. Raises `ValueError` where they don't fill squares of pooling × pooling.
    """
    across = (int(positions[:, 0].max()) + 1) // pooling
    squares = positions // pooling
    tokens = squares[:, 0] + across * squares[:, 1]
    order = np.argsort(tokens, kind="stable")
    each = pooling**2
    if len(order) % each or not (tokens[order].reshape(-1, each) == np.arange(len(order) // each)[:, None]).all():
        raise ValueError(f"{len(order)} patches don't fill squares of {pooling} × {pooling}")
    return order


class _TowerGraph:
    """The computation for images of so many patches, planned and ready."""

    def __init__(
        self,
        of: VisionArchitecture,
        device: Device,
        weights: Mapping[str, Node],
        bounds: Mapping[str, Bounds],
        count: int,
    ) -> None:
        self._of = of
        self._weights = weights
        self._bounds = bounds
        self._count = count
        self._at_once = max(1, SCORES // (of.heads * count), -(-count // MOST_TURNS))
        turns = -(-count // self._at_once)
        self._computation = Computation(device, _NODES + of.layers * (_LAYER_NODES + _TURN_NODES * turns))
        self._build = self._computation.build
        self._patches = self._computation.input(F32, COLOURS * of.patch**2, count)
        self._places = self._computation.input(I32, count, 2)
        try:
            self._soft = self._computation.output(self._built())
            self._computation.plan()
        except BaseException:
            self._computation.close()
            raise

    @property
    def bytes(self) -> int:
        """Memory that it works in."""
        return self._computation.bytes

    def run(self, patches: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[tokens, hidden] of patches in the order of `pooling_order`."""
        # The file's kernel goes by colours and then pixels, patches go by pixels and then colours.
        colours = patches.reshape(self._count, -1, COLOURS).transpose(0, 2, 1)
        write(self._patches, 2 * (colours - np.float32(0.5)))
        write(self._places, positions.T.astype(np.int32))
        self._computation.run()
        return read(self._soft).reshape(-1, self._of.text_width).astype(np.float32, copy=False)

    def close(self) -> None:
        """Free graph and memory."""
        self._computation.close()

    def _built(self) -> Node:
        of, build = self._of, self._build
        kernel = build.reshape(self._weights[PATCH_EMBEDDING], COLOURS * of.patch**2, of.width)
        places = build.rows(self._weights[POSITIONS], self._places)
        hidden = build.matmul(kernel, self._patches)
        for axis in range(2):
            hidden = build.add(hidden, build.view(places, (of.width, self._count), axis * places.strides[2]))
        for layer in range(of.layers):
            hidden = self._layer(hidden, f"v.blk.{layer}")
        pooled = self._pooled(hidden)
        if of.is_standardised:
            pooled = build.mul(build.sub(pooled, self._weights[STANDARD_BIAS]), self._weights[STANDARD_SCALE])
        return build.matmul(self._weights[PROJECTION], build.rms_norm(pooled, of.epsilon))

    def _layer(self, hidden: Node, name: str) -> Node:
        build = self._build
        attended = self._attention(self._normed(hidden, f"{name}.ln1"), name)
        hidden = build.add(hidden, self._normed(attended, f"{name}.attn_post_norm"))
        normed = self._normed(hidden, f"{name}.ln2")
        opened = build.gelu_times(self._linear(normed, f"{name}.ffn_gate"), self._linear(normed, f"{name}.ffn_up"))
        return build.add(hidden, self._normed(self._linear(opened, f"{name}.ffn_down"), f"{name}.ffn_post_norm"))

    def _normed(self, one: Node, name: str) -> Node:
        return self._build.mul(self._build.rms_norm(one, self._of.epsilon), self._weights[f"{name}.weight"])

    def _linear(self, one: Node, name: str) -> Node:
        build, bounds = self._build, self._bounds.get(name, Bounds())
        if math.isfinite(bounds.input_min) or math.isfinite(bounds.input_max):
            one = build.clamp(one, bounds.input_min, bounds.input_max)
        made = build.matmul(self._weights[f"{name}.weight"], one)
        if math.isfinite(bounds.output_min) or math.isfinite(bounds.output_max):
            made = build.clamp(made, bounds.output_min, bounds.output_max)
        return made

    def _pooled(self, hidden: Node) -> Node:
        """(width, P) → (width, tokens): the mean of each token's patches, times √width."""
        of, build, each = self._of, self._build, self._of.pooling**2
        tokens, stride = self._count // each, hidden.strides[1]
        pieces = [build.view(hidden, (of.width, tokens), index * stride, (each * stride,) * 3) for index in range(each)]
        total = pieces[0]
        for piece in pieces[1:]:
            total = build.add(total, piece)
        return build.scale(total, math.sqrt(of.width) / each)

    # --- attention --------------------------------------------------------------------------------

    def _attention(self, normed: Node, name: str) -> Node:
        of, build, count = self._of, self._build, self._count
        queries = build.reshape(self._linear(normed, f"{name}.attn_q"), of.head_dim, of.heads, count)
        keys = build.reshape(self._linear(normed, f"{name}.attn_k"), of.head_dim, of.kv_heads, count)
        values = build.reshape(self._linear(normed, f"{name}.attn_v"), of.head_dim, of.kv_heads, count)
        queries = self._turned(self._normed(queries, f"{name}.attn_q_norm"))
        keys = self._turned(self._normed(keys, f"{name}.attn_k_norm"))
        return self._linear(self._attended(queries, keys, build.rms_norm(values, of.epsilon)), f"{name}.attn_out")

    def _turned(self, one: Node) -> Node:
        """The first half of each head turns with the patch's column, the second with its row."""
        half = self._of.head_dim // 2
        for axis in range(2):
            places = self._build.view(self._places, (self._count,), axis * self._places.strides[1])
            one = self._build.rope_part(one, places, self._of.rope_base, axis * half, half)
        return one

    def _attended(self, queries: Node, keys: Node, values: Node) -> Node:
        """softmax(K·q)·V of all patches for (head, heads, P) queries → (head · heads, P). The scale is 1.

        Some rows at a time, because the scores of all of them would take 400 MB.
        """
        build, (head, heads, count, _) = self._build, queries.shape
        keys = build.permute(keys, 0, 2, 1, 3)
        values = build.dense(build.permute(values, 1, 2, 0, 3))
        whole: Node | None = None
        for begin in range(0, count, self._at_once):
            rows = min(self._at_once, count - begin)
            asking = build.view(queries, (head, heads, rows), begin * queries.strides[2])
            asking = build.dense(build.permute(asking, 0, 2, 1, 3))
            seen = build.matmul(values, build.softmax(build.matmul(keys, asking)))
            seen = build.reshape(build.dense(build.permute(seen, 0, 2, 1, 3)), head * heads, rows)
            whole = seen if whole is None else build.followed_by(whole, seen, 1)
        if whole is None:
            raise ValueError("an image without patches")
        return whole


# --- files ----------------------------------------------------------------------------------------


def open_vision(device: Device, path: Path, hidden: int) -> VisionTower:
    """The vision tower in the GGUF file `path`, whose weights stay in the mapped file.

    hidden: width of the text model's residual stream. Raises `CheckpointError` with a reason and a remedy where the
    file can't be used, or not with this model.
    """
    file = read_gguf(path, _require_vision)
    of = read_vision_architecture(file.metadata, file.tensors)
    if of.text_width != hidden:
        raise CheckpointError(
            "The file for images belongs to another model",
            f"{path.name} makes soft tokens of {of.text_width:,} numbers; this model takes {hidden:,}.",
            VISION_REMEDY,
        )
    tensors = vision_tensors(file, of)
    weights = Weights(device, tensors, map_parts(file))
    try:
        bounds = _read_bounds(of, weights.nodes)
    except BaseException:
        weights.close()
        raise
    return VisionTower(of, device, weights, bounds)


def _require_vision(path: Path, metadata: Metadata, _tensors: int) -> None:
    require_vision(path, metadata)


def _read_bounds(of: VisionArchitecture, nodes: Mapping[str, Node]) -> dict[str, Bounds]:
    found: dict[str, dict[str, float]] = {}
    for name in of.bounded:
        matrix, _, bound = name.rpartition(".")
        found.setdefault(matrix, {})[bound] = float(read(nodes[name]).ravel()[0])
    bounds = {matrix: Bounds(**said) for matrix, said in found.items()}
    for matrix, one in bounds.items():
        pairs = (one.input_min, one.input_max), (one.output_min, one.output_max)
        if not all(least <= most for least, most in pairs):
            raise broken_description(f"The bounds of {matrix} can't be")
    return bounds
