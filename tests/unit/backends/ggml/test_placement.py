"""Where the published model's parts go on machines of many sizes, and how long a text there is room for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.backends import threads
from diffdesk.backends.ggml.devices import CARD, HOST, Card
from diffdesk.backends.ggml.memory import Ring
from diffdesk.backends.ggml.placement import (
    CHUNK,
    CRAMPED_CONTEXT,
    GIB,
    LEAST_CONTEXT,
    MOST_CONTEXT,
    Machine,
    Placement,
    cache_bytes,
    place,
    work_bytes,
)
from diffdesk.backends.gguf.conversion_names import FileKind
from diffdesk.backends.gguf.types import TensorType
from diffdesk.core.errors import EngineError
from tests.bench.synthetic import PUBLISHED, plans

SIZES = {one.name: one.bytes for one in plans(PUBLISHED, FileKind.Q4_K_M)}


def card(gib: float) -> Card:
    return Card(1, "A card", int(gib * GIB), int(gib * GIB))


def placed(memory: float, gib: float | None = None, *, context: int = 0, cache: TensorType | None = None) -> Placement:
    machine = Machine(int(memory * GIB), 8, None if gib is None else card(gib))
    return place(PUBLISHED, SIZES, machine, context=context, cache=cache)


def bytes_on_card(one: Placement) -> int:
    weights = sum(size for name, size in SIZES.items() if one.of(name) == CARD)
    caches = sum(
        cache_bytes(PUBLISHED, one.cache, one.context, layer) for layer, where in enumerate(one.layers) if where == CARD
    )
    return weights + caches + work_bytes(PUBLISHED)


def test_the_cache_takes_what_the_model_is_known_to_take() -> None:
    """20,480 bytes a token for the five full layers, 204,800 for the others up to their window."""
    full = [layer for layer in range(30) if not PUBLISHED.is_sliding[layer]]
    longer, shorter = (sum(cache_bytes(PUBLISHED, TensorType.F16, n, one) for one in full) for n in (9000, 8000))
    assert (longer - shorter) / 1000 == 20_480
    sliding = [layer for layer in range(30) if PUBLISHED.is_sliding[layer]]
    short = [sum(cache_bytes(PUBLISHED, TensorType.F16, n, one) for one in sliding) for n in (500, 400, 9000, 8000)]
    assert (short[0] - short[1]) / 100 == 204_800
    assert short[2] == short[3]


def test_without_a_card_all_stays_where_it_is_mapped() -> None:
    one = placed(64)
    assert {*one.layers, *one.experts, one.ends} == {HOST}
    assert one.context == MOST_CONTEXT
    assert one.cache is TensorType.F16
    assert one.turns
    assert one.text == "CPU, 8 threads"
    assert not placed(20).turns, "a copy of the embedding where there is no room"


def test_a_short_memory_holds_a_shorter_text_or_a_coarser_one() -> None:
    sizes = [placed(memory) for memory in (64.0, 8.0, 4.0, 3.0)]
    assert sizes[0].context >= sizes[1].context >= sizes[2].context >= sizes[3].context >= LEAST_CONTEXT
    assert sizes[1].context <= CRAMPED_CONTEXT, "the cache drives out weights"
    assert sizes[-1].cache is TensorType.Q8_0
    assert placed(8, context=16_000).context == 16_000
    with pytest.raises(EngineError, match="not enough memory"):
        placed(1.5)
    with pytest.raises(EngineError, match=r"200,000 tokens"):
        placed(8, context=200_000)


def test_what_is_asked_for_is_given() -> None:
    assert placed(64, context=5000).context == 5000
    assert placed(64, context=10**9).context == PUBLISHED.context_length
    assert placed(64, cache=TensorType.Q8_0).cache is TensorType.Q8_0
    assert placed(64, cache=TensorType.F32, context=4096).cache is TensorType.F32


@pytest.mark.parametrize(("gib", "experts"), [(80, 30), (24, 30), (16, 1), (12, 1), (8, 1)])
def test_a_card_takes_all_or_the_experts_stay_behind(gib: float, experts: int) -> None:
    one = placed(64, gib)
    assert one.ends == CARD
    assert set(one.layers) == {CARD}
    assert one.experts.count(CARD) >= experts
    if experts < 30:
        assert 0 < one.experts.count(HOST) < 30
        assert "experts of" in one.text
    else:
        assert one.text == "A card"
    assert one.context >= LEAST_CONTEXT


def test_a_card_that_is_too_small_is_not_used() -> None:
    one = placed(64, 2)
    assert not one.uses_card
    assert one.text.startswith("CPU")


@given(st.floats(2, 100), st.sampled_from([0, 2048, 8192, 60_000]))
def test_a_card_is_never_filled_beyond_its_memory(gib: float, context: int) -> None:
    one = placed(64, gib, context=context)
    if one.uses_card:
        assert bytes_on_card(one) <= gib * GIB
        assert one.of("token_embd.weight") == CARD
        assert one.of("rope_freqs.weight") == HOST
    for layer in range(30):
        assert one.experts[layer] == HOST or one.layers[layer] == CARD


def test_heads_that_are_no_whole_blocks_keep_a_plain_cache() -> None:
    odd = replace(PUBLISHED, head_dim_sliding=72)
    assert place(odd, SIZES, Machine(64 * GIB, 1)).cache is TensorType.F16


# --- threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("busy", "expected"), [([0] * 16, 8), ([30] + [0] * 15, 8), ([100] * 3 + [10] * 13, 4), ([100] * 16, 1)]
)
def test_threads_are_no_more_than_are_free(monkeypatch: pytest.MonkeyPatch, busy: list[float], expected: int) -> None:
    monkeypatch.delenv(threads.THREADS_VARIABLE, raising=False)
    monkeypatch.setattr(threads, "usable_cores", lambda: 8)
    monkeypatch.setattr("diffdesk.backends.threads.psutil.cpu_percent", lambda seconds, percpu: busy)
    assert threads.free_threads() == expected


def test_threads_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(threads.THREADS_VARIABLE, "1")
    assert threads.free_threads() == 1
    for nonsense in ("", "0", "many", "-3"):
        monkeypatch.setenv(threads.THREADS_VARIABLE, nonsense)
        assert threads.free_threads(0.01) >= 1
    assert threads.usable_cores() >= 1


# --- the ring of sliding layers -------------------------------------------------------------------


@given(st.lists(st.integers(1, CHUNK), min_size=1, max_size=30), st.integers(2, 60))
def test_a_ring_shows_each_place_what_its_window_asks_for(chunks: list[int], window: int) -> None:
    ring, begin = Ring(4, window - 1 + CHUNK, window), 0
    held = np.full(ring.slots, -1)
    for count in chunks:
        places = np.arange(begin, begin + count)
        view = ring.text(begin, count, places, places + 1)
        held[view.slots] = places
        for row, place_in_text in enumerate(places.tolist()):
            seen = held[: view.reach][view.mask[row] == 0]
            assert sorted(seen.tolist()) == list(range(max(0, place_in_text - window + 1), place_in_text + 1))
        begin += count
    canvas = ring.canvas(begin, 4, np.arange(4))
    seen = held[4 : canvas.reach][canvas.mask[0][4:] == 0]
    assert sorted(seen.tolist()) == list(range(max(0, begin - window + 1), begin))


def test_more_places_than_a_ring_can_show_are_refused() -> None:
    ring = Ring(4, 20, 8)
    places = np.arange(21)
    with pytest.raises(ValueError, match="written over"):
        ring.text(0, 21, places, places + 1)
    ring.text(0, 13, places[:13], places[:13] + 1)
    with pytest.raises(ValueError, match="written over"):
        ring.text(13, 14, places[:14] + 13, places[:14] + 14)
