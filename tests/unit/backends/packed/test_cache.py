"""The slots of the cache: whatever is done with it, what a row may see is what was written for its place."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.packed import plan
from diffdesk.backends.packed.cache import MOST_SNAPSHOTS, Room, StaticCache

WINDOW, CHUNK, CANVAS, CONTEXT = 6, 5, 4, 60
KEPT = WINDOW - 1
CPU = torch.device("cpu")


def architecture(*is_sliding: bool, window: int = WINDOW) -> Architecture:
    return Architecture(
        layers=len(is_sliding),
        hidden=16,
        heads=2,
        kv_heads=(1,) * len(is_sliding),
        is_sliding=is_sliding,
        head_dim=4,
        head_dim_sliding=2,
        values_are_keys=True,
        dense_width=16,
        experts=2,
        experts_used=1,
        expert_width=16,
        window=window,
        rope_base=1e6,
        rope_base_sliding=1e4,
        epsilon=1e-6,
        softcap=30.0,
        vocab_size=30,
        canvas_length=CANVAS,
        context_length=CONTEXT,
    )


def made(model: Architecture, snapshot_bytes: int = 1 << 20) -> StaticCache:
    """A cache with slots for a window, a chunk and a canvas only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "LONGEST_IMAGE", 0)
        return StaticCache(model, Room(CONTEXT, CHUNK, snapshot_bytes), torch.float32, CPU)


@dataclass
class Text:
    """A cache, and what it should hold: a number of its own for every token that was ever read."""

    model: Architecture
    cache: StaticCache
    tokens: list[int] = field(default_factory=list)
    given: int = 0

    def write(self, many: int, *, is_canvas: bool = False) -> None:
        """Read tokens, or stand a canvas after them."""
        self.cache.make_room(many if is_canvas else many + CANVAS)
        new = [-1] * many if is_canvas else list(range(self.given + 1, self.given + many + 1))
        for layer, slides in zip(self.cache.layers, self.model.is_sliding, strict=True):
            slot = self.cache.length - (self.cache.base if slides else 0)
            layer.keys.index_copy_(0, torch.arange(slot, slot + many), numbers(new, layer.keys.shape[-1]))
            layer.values.index_copy_(0, torch.arange(slot, slot + many), -numbers(new, layer.keys.shape[-1]))
        if not is_canvas:
            self.given += many
            self.tokens += new
            self.cache.length += many

    def take_back(self, length: int) -> int:
        reached = self.cache.take_back(length)
        assert reached == self.cache.length <= min(length, len(self.tokens))
        del self.tokens[reached:]
        return reached

    def check(self) -> None:
        """Full layers hold every token, sliding ones those that the next row sees, each at the slot of its place."""
        assert self.cache.length == len(self.tokens)
        for layer, slides in zip(self.cache.layers, self.model.is_sliding, strict=True):
            begin = max(0, len(self.tokens) - (self.model.window - 1)) if slides else 0
            base = self.cache.base if slides else 0
            assert base <= begin
            here = slice(begin - base, len(self.tokens) - base)
            assert layer.keys[here, 0, 0].tolist() == self.tokens[begin:]
            assert layer.values[here, 0, -1].tolist() == [-one for one in self.tokens[begin:]]


def numbers(tokens: list[int], width: int) -> torch.Tensor:
    return torch.tensor(tokens, dtype=torch.float32)[:, None, None].expand(-1, 1, width)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(1, CHUNK)),
        st.tuples(st.just("stand a canvas"), st.integers(1, CANVAS)),
        st.tuples(st.just("remember"), st.just(0)),
        st.tuples(st.just("take back"), st.integers(0, 40)),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(actions=ACTIONS, is_sliding=st.lists(st.booleans(), min_size=1, max_size=3), window=st.integers(1, 7))
def test_what_a_row_sees_is_what_was_written(
    actions: list[tuple[str, int]], is_sliding: list[bool], window: int
) -> None:
    model = architecture(*is_sliding, window=window)
    text = Text(model, made(model))
    for action, number in actions:
        if action == "read" and len(text.tokens) + number + CANVAS <= CONTEXT:
            text.write(number)
        elif action == "stand a canvas" and len(text.tokens) + number <= CONTEXT:
            text.write(number, is_canvas=True)
        elif action == "remember":
            text.cache.remember()
        elif action == "take back":
            known = {*text.cache.snapshot_lengths, len(text.tokens)}
            nearest = max((one for one in known if one <= number), default=0)
            assert text.take_back(number) >= nearest
            assert all(one <= text.cache.length for one in text.cache.snapshot_lengths)
        text.check()


def test_slots_are_only_moved_when_there_are_none_left() -> None:
    model = architecture(True, False)
    text = Text(model, made(model))
    bases = []
    for _ in range(6):
        text.write(CHUNK)
        bases.append(text.cache.base)
        text.check()
    assert text.cache.layers[0].keys.shape[0] == KEPT + CHUNK + CANVAS
    assert text.cache.layers[1].keys.shape[0] == CONTEXT
    # 5 more than are there at 10 and a canvas don't fit: the 5 before the end move to the front.
    assert bases == [0, 0, 5, 10, 15, 20]


def test_where_the_context_is_short_it_has_no_more_slots_than_that() -> None:
    cache = StaticCache(architecture(True, False), Room(12, CHUNK), torch.bfloat16, CPU)
    assert [one.keys.shape for one in cache.layers] == [(12, 1, 2), (12, 1, 4)]
    assert cache.layers[0].values.dtype == torch.bfloat16


def test_snapshots_are_few_and_hold_no_more_than_the_window() -> None:
    model = architecture(True, False, True)
    each = 2 * 2 * KEPT * 2 * 4  # two layers, keys and values, two float32 each
    for room, many in ((1 << 20, MOST_SNAPSHOTS), (3 * each, 3), (3 * each - 1, 2), (0, 1)):
        text = Text(model, made(model, room))
        for _ in range(MOST_SNAPSHOTS + 3):
            text.write(CHUNK)
            text.cache.remember()
            text.cache.remember()  # once is enough
        ends = [CHUNK * (one + 1) for one in range(MOST_SNAPSHOTS + 3)]
        assert list(text.cache.snapshot_lengths) == ends[-many:]
        assert text.take_back(ends[-2] - 1) == (ends[-3] if many > 2 else 0), "slots begin 5 before the last read"
        text.check()


def test_a_model_without_sliding_layers_needs_no_snapshots() -> None:
    model = architecture(False, False)
    text = Text(model, made(model))
    text.write(CHUNK)
    text.cache.remember()
    assert text.cache.snapshot_lengths == ()
    text.write(CHUNK)
    assert text.take_back(3) == 3
    text.check()


def test_what_was_cleared_is_gone() -> None:
    model = architecture(True)
    text = Text(model, made(model))
    for _ in range(4):
        text.write(CHUNK)
        text.cache.remember()
    text.cache.clear()
    assert (text.cache.length, text.cache.base, text.cache.snapshot_lengths) == (0, 0, ())
    text.tokens.clear()
    text.write(CHUNK)
    text.check()
