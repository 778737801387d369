"""The hyperparameters in a GGUF file's metadata, checked: ggml ends the process where shapes make no sense.

Keys are those of the published files. Knows nothing of what a file holds beside metadata and names of tensors.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from diffdesk.backends.checkpoint_config import LONGEST_CANVAS
from diffdesk.backends.gguf.faults import broken_description
from diffdesk.backends.gguf.layout import ARCHITECTURE, Architecture
from diffdesk.backends.gguf.reader import Metadata, StoredArray, StoredTensor
from diffdesk.core.parameters import SamplerDefaults

MOST_LAYERS = 256  # the graph of more layers would be longer than ggml has room for
WIDEST = 1 << 16  # of the residual stream
MOST_HEADS, LONGEST_HEAD = 1024, 4096
MOST_EXPERTS = 4096
MOST_TOKENS = 1 << 24
EMBEDDING = "token_embd.weight"


class Description:
    """A file's metadata, with values that are checked when they are asked for; `CheckpointError` names the key."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number; `default` where there is no such key."""
        return self._whole(key, self._metadata.get(key, default), low, high)

    def real(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """A number; of those that are float32 the shortest that it stands for, so that 0.8 is 0.8."""
        value = self._metadata.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self._wrong(key, f"a number from {low:g} to {high:g}", value)
        return float(str(np.float32(value))) if isinstance(value, float) else float(value)

    def text(self, key: str) -> str:
        """A text, empty where there is no such key."""
        value = self._metadata.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(key, "a text", value)
        return value

    def each(self, key: str, layers: int, low: int, high: int) -> tuple[int, ...]:
        """A whole number for each layer; one alone is meant for all."""
        value = self._metadata.get(key)
        if not isinstance(value, StoredArray):
            return (self._whole(key, value, low, high),) * layers
        return tuple(self._whole(key, one, low, high) for one in self._items(key, value, layers))

    def flags(self, key: str, layers: int) -> tuple[bool, ...]:
        """A truth value for each layer; a number n alone says that it is untrue for every n-th."""
        value = self._metadata.get(key)
        if isinstance(value, StoredArray):
            return tuple(bool(one) for one in self._items(key, value, layers))
        if isinstance(value, bool):
            return (value,) * layers
        every = self._whole(key, value, 1, MOST_LAYERS)
        return tuple((layer + 1) % every != 0 for layer in range(layers))

    def ids(self, key: str, most: int) -> tuple[int, ...]:
        """The whole numbers of a short list, or one alone; none where there is no such key."""
        value = self._metadata.get(key)
        if value is None:
            return ()
        if not isinstance(value, StoredArray):
            return (self._whole(key, value, 0, most),)
        listed = self._items(key, value, min(value.count, 64))
        return tuple(dict.fromkeys(self._whole(key, one, 0, most) for one in listed))

    def _items(self, key: str, value: StoredArray, count: int) -> list[object]:
        if value.count != count:
            raise broken_description(f"{key} should list {count:,} values, not {value.count:,}")
        listed: list[object] = value.numbers().tolist()
        return listed

    def _whole(self, key: str, value: object, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(key, f"{low:,}" if low == high else f"a number from {low:,} to {high:,}", value)
        return value

    @staticmethod
    def _wrong(key: str, expected: str, value: object) -> Exception:
        if value is None:
            return broken_description(f"{key} is missing")
        found = "a list" if isinstance(value, StoredArray) else f"{value!r:.60}"
        return broken_description(f"{key} should be {expected}, not {found}")


def read_hyperparameters(metadata: Metadata, tensors: Mapping[str, StoredTensor]) -> Architecture:
    """The hyperparameters; the size of the vocabulary and where values are keys are seen from the tensors.

    Raises `CheckpointError` that names the key where one is missing, out of its range or contradicts another.
    """
    said = Description(metadata)
    layers = said.whole(_key("block_count"), 1, MOST_LAYERS)
    heads = said.whole(_key("attention.head_count"), 1, MOST_HEADS)
    kv_heads = said.each(_key("attention.head_count_kv"), layers, 1, heads)
    if any(heads % one for one in kv_heads):
        raise broken_description(f"{_key('attention.head_count_kv')} should divide the {heads:,} heads")
    sliding = said.flags(_key("attention.sliding_window_pattern"), layers)
    experts = said.whole(_key("expert_count"), 1, MOST_EXPERTS)
    for unused in ("attention.shared_kv_layers", "embedding_length_per_layer_input"):
        said.whole(_key(unused), 0, 0, 0)
    context = said.whole(_key("context_length"), 1, 1 << 30)
    return Architecture(
        layers=layers,
        hidden=said.whole(_key("embedding_length"), 1, WIDEST),
        heads=heads,
        kv_heads=kv_heads,
        is_sliding=sliding,
        head_dim=_head_dim(said, ""),
        head_dim_sliding=_head_dim(said, "_swa"),
        values_are_keys=not any(
            f"blk.{layer}.attn_v.weight" in tensors for layer, slides in enumerate(sliding) if not slides
        ),
        dense_width=_dense_width(said, layers),
        experts=experts,
        experts_used=said.whole(_key("expert_used_count"), 1, experts),
        expert_width=said.whole(_key("expert_feed_forward_length"), 1, 1 << 20),
        window=said.whole(_key("attention.sliding_window"), 1, 1 << 30, None if any(sliding) else context),
        rope_base=said.real(_key("rope.freq_base"), 1, 1e12, 1e6),
        rope_base_sliding=said.real(_key("rope.freq_base_swa"), 1, 1e12, 1e4),
        epsilon=said.real(_key("attention.layer_norm_rms_epsilon"), 1e-12, 1, 1e-6),
        softcap=said.real(_key("final_logit_softcapping"), 0, 1e6, 0.0),
        vocab_size=_vocab_size(tensors),
        canvas_length=said.whole("diffusion.canvas_length", 1, LONGEST_CANVAS, 256),
        context_length=context,
    )


def _key(name: str) -> str:
    return f"{ARCHITECTURE}.{name}"


def _head_dim(said: Description, kind: str) -> int:
    """The length of a head; keys, values and rotation must agree, and it is rotated in pairs."""
    key = _key(f"attention.key_length{kind}")
    found = said.whole(key, 2, LONGEST_HEAD)
    if found % 2:
        raise broken_description(f"{key} should be even, not {found:,}")
    for other in (f"attention.value_length{kind}", f"rope.dimension_count{kind}"):
        said.whole(_key(other), found, found, found)
    return found


def _dense_width(said: Description, layers: int) -> int:
    key = _key("feed_forward_length")
    widths = set(said.each(key, layers, 1, 1 << 20))
    if len(widths) > 1:
        raise broken_description(f"{key} should be the same for all layers")
    return widths.pop()


def _vocab_size(tensors: Mapping[str, StoredTensor]) -> int:
    embedding = tensors.get(EMBEDDING)
    if embedding is None:
        raise broken_description(f"There is no {EMBEDDING}")
    if len(embedding.shape) != 2 or not 2 <= embedding.shape[1] <= MOST_TOKENS:
        raise broken_description(f"{EMBEDDING} has the shape {list(embedding.shape)}")
    return embedding.shape[1]


def read_sampler(metadata: Metadata, end_ids: tuple[int, ...], vocab_size: int) -> SamplerDefaults:
    """The sampler's settings; published values where the file is silent. `end_ids` are the tokens that end an answer.

    Raises `CheckpointError` that names the key.
    """
    said, known = Description(metadata), SamplerDefaults()
    made = SamplerDefaults(
        steps=said.whole("diffusion.eb_max_steps", 1, 4096, known.steps),
        t_max=said.real("diffusion.eb_t_max", 0, 100, known.t_max),
        t_min=said.real("diffusion.eb_t_min", 0, 100, known.t_min),
        entropy_bound=said.real("diffusion.eb_entropy_bound", 0, 1e6, known.entropy_bound),
        confidence=said.real("diffusion.eb_confidence_threshold", 0, 1e6, known.confidence),
        stability=said.whole("diffusion.eb_stability_threshold", 0, 4096, known.stability),
        end_ids=end_ids,
        pad_id=said.whole("tokenizer.ggml.padding_token_id", 0, vocab_size - 1, known.pad_id),
    )
    if made.t_max <= made.t_min:
        raise broken_description(f"The first temperature ({made.t_max:g}) must be above the last ({made.t_min:g})")
    return made
