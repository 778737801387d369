"""What a model takes of a card's memory is known before anything is loaded, and what fits is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import numpy as np
import psutil
import pytest
import torch
from synthetic_layout import NVFP4, PUBLISHED, tensors
from torch import Tensor

from diffdesk.backends.checkpoint import inspect_checkpoint
from diffdesk.backends.checkpoint_config import read_json
from diffdesk.backends.gguf.conversion_config import read_architecture
from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.packed.plan import CHUNK, GIB, LEAN_CHUNK, USABLE, MemoryPlan, choose_plan, plan_memory
from diffdesk.backends.registry import load
from diffdesk.backends.safetensors_header import TensorEntry
from diffdesk.core.denoiser import Prompt
from diffdesk.core.errors import EngineError, PromptError, SettingError
from diffdesk.core.requests import ModelSpec
from tests.unit.backends.packed.packed_folders import Pairs, ignore, load_packed, silent
from tests.unit.backends.tiny import random_ids

Entries = dict[str, TensorEntry]


@pytest.fixture(scope="module")
def published() -> tuple[Architecture, Entries]:
    """The model as NVIDIA publishes it."""
    listed = tensors(PUBLISHED, NVFP4)
    entries = {one.name: TensorEntry(one.dtype, one.shape, "model.safetensors", 0, one.bytes) for one in listed}
    return read_architecture(PUBLISHED), entries


# the published size


def test_the_weights_take_what_the_files_hold(published: tuple[Architecture, Entries]) -> None:
    model, entries = published
    whole = plan_memory(model, entries, is_lean=False, context=8192)
    assert whole.weights == sum(one.bytes for one in entries.values())
    assert whole.weights / GIB == pytest.approx(17.53, rel=0.01)
    assert whole.in_main_memory == 0
    lean = plan_memory(model, entries, is_lean=True, context=8192)
    # Of attention, the dense MLP and self-conditioning the half is gone; the part that sees is elsewhere.
    assert lean.in_main_memory / GIB == pytest.approx(1.07, abs=0.01)
    assert (whole.weights - lean.weights - lean.in_main_memory) / GIB == pytest.approx(
        (2.07 + 1.0 + 0.03) / 2, abs=0.02
    )


def test_the_cache_takes_what_the_model_s_description_says(published: tuple[Architecture, Entries]) -> None:
    """A place takes 20,480 bytes in full layers, and 204,800 in sliding ones as far as they reach."""
    model, entries = published
    plans = [plan_memory(model, entries, is_lean=False, context=context) for context in (500, 16_384, 16_385)]
    assert plans[0].cache == 500 * 20_480 + 2 * 500 * 204_800  # a snapshot of the sliding ones beside them
    assert plans[2].cache - plans[1].cache == 20_480
    assert plans[1].cache == 16_384 * 20_480 + (1023 + CHUNK + 1120 + 256 + 1024) * 204_800


@pytest.mark.parametrize(("is_lean", "most", "chunk"), [(False, 20, CHUNK), (True, 18, LEAN_CHUNK)])
def test_it_fits_a_card(published: tuple[Architecture, Entries], is_lean: bool, most: int, chunk: int) -> None:
    plan = plan_memory(*published, is_lean=is_lean, context=8192)
    assert plan.needed == plan.weights + plan.cache + plan.work <= most * GIB
    assert (plan.is_lean, plan.context, plan.chunk) == (is_lean, 8192, chunk)
    assert plan.work > 256 * 262_144 * 2, "the logits of a step at least"


def chosen(published: tuple[Architecture, Entries], gib: float, context: int = 0) -> MemoryPlan:
    return choose_plan(*published, int(gib * GIB), context, None)


def test_the_roomiest_plan_that_fits_is_chosen(published: tuple[Architecture, Entries]) -> None:
    lean, whole = chosen(published, 18.5), chosen(published, 24)
    assert lean.is_lean
    assert (whole.is_lean, whole.context) == (False, 32_768)
    assert lean.needed < 18.5 * GIB < whole.needed < 24 * GIB


def test_the_context_shrinks_before_the_weights_do(published: tuple[Architecture, Entries]) -> None:
    seen = []
    for free in (24, 22, 21, 20.75, 20.5, 20.25, 20, 19, 18, 17.5, 17.3):
        plan = chosen(published, free)
        assert plan.needed <= free * GIB * USABLE
        seen.append((plan.is_lean, plan.context))
    assert len(set(seen)) > 3
    assert seen == sorted(seen, key=lambda one: (one[0], -one[1]))
    least = plan_memory(*published, is_lean=False, context=4096).needed / USABLE / GIB
    assert [
        (one.is_lean, one.context) for one in (chosen(published, least + 0.01), chosen(published, least - 0.01))
    ] == [
        (False, 4096),
        (True, 32_768),
    ]


def test_a_context_that_was_asked_for_is_kept(published: tuple[Architecture, Entries]) -> None:
    assert [chosen(published, gib, 10_000).context for gib in (8, 18.5, 24)] == [10_000] * 3
    assert chosen(published, 24, 10_000).is_lean is False
    assert chosen(published, 18.5, 10_000).is_lean is True
    assert chosen(published, 80, 1 << 20).context == 262_144, "the model's own is the most there is"
    longest = chosen(published, 80, 262_144)
    assert (longest.is_lean, longest.context) == (False, 262_144)
    assert chosen(published, 22, 262_144).is_lean, "long before whole where one asks for it"


def test_a_way_that_was_asked_for_is_kept(published: tuple[Architecture, Entries]) -> None:
    assert choose_plan(*published, 80 * GIB, 0, True).is_lean
    tight = choose_plan(*published, 18 * GIB, 0, False)
    assert not tight.is_lean
    assert tight.needed > 18 * GIB


def test_with_too_little_memory_the_smallest_plan_says_how_much_it_takes(
    published: tuple[Architecture, Entries],
) -> None:
    plan = chosen(published, 12)
    assert (plan.is_lean, plan.context) == (True, 4096)
    assert plan.needed > 12 * GIB
    every = [plan_memory(*published, is_lean=way, context=one) for way in (False, True) for one in (4096, 8192)]
    assert plan.needed == min(one.needed for one in every)


def test_a_plan_is_told_in_numbers(published: tuple[Architecture, Entries]) -> None:
    whole, lean = (plan_memory(*published, is_lean=way, context=8192) for way in (False, True))
    for plan in (whole, lean):
        said = plan.describe()
        assert said.startswith(f"{plan.needed / GIB:.1f} GiB: ")
        for number in (plan.weights, plan.cache, plan.work):
            assert f"{number / GIB:.1f} " in said
        assert "8,192 tokens" in said
    assert "17.5 for weights" in whole.describe()
    assert "8 bits" not in whole.describe()
    assert "8 bits" in lean.describe()
    assert "main memory" in lean.describe()


# plans and what is really there


def tensors_in(thing: object) -> Iterator[Tensor]:
    """Every tensor that a structure holds."""
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, list | tuple):
        for one in thing:
            yield from tensors_in(one)
    elif is_dataclass(thing):
        for each in fields(thing):
            yield from tensors_in(getattr(thing, each.name))
    elif hasattr(thing, "__dict__"):
        for one in vars(thing).values():
            yield from tensors_in(one)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_a_loaded_model_takes_what_was_planned(pairs: Pairs, precision: str) -> None:
    folder = pairs("narrow-window").packed
    facts = inspect_checkpoint(folder)
    is_lean, width = precision == "int8", 4 if precision == "float32" else 2
    model = read_architecture(read_json(folder / "config.json"))
    plan = plan_memory(model, facts.entries, is_lean=is_lean, context=2048, width=width)
    denoiser = load_packed(folder, precision)
    held = list(tensors_in(denoiser.model.network.weights))
    unused = sum(one.elements * width for name, one in facts.entries.items() if "vision" in name)  # without a processor
    inputs = sum(one.bytes for name, one in facts.entries.items() if name.endswith("input_scale"))
    factors = sum(4 * one.shape[0] for one in held if one.dtype == torch.int8)
    assert (factors > 0) == is_lean
    assert sum(one.nbytes for one in held) - factors == plan.weights - inputs - (0 if is_lean else unused)
    cache = denoiser.model.network.cache
    slots = sum(one.keys.nbytes + one.values.nbytes for one in cache.layers)
    sliding = sum(one.keys[:1].nbytes * 2 for one, slides in zip(cache.layers, model.is_sliding, strict=True) if slides)
    assert plan.cache == slots + model.window * sliding
    assert denoiser.chunk == plan.chunk


# what is asked for, and what there is


@pytest.mark.parametrize(
    ("device", "precision", "said"),
    [("cpu", "float16", "float16"), ("cpu", "nvfp4", "nvfp4"), ("quantum", "auto", "quantum"), ("mps", "auto", "mps")],
)
def test_settings_that_there_are_none_of(pairs: Pairs, device: str, precision: str, said: str) -> None:
    with pytest.raises(SettingError, match=said) as caught:
        load(ModelSpec(pairs("plain").packed, device=device, precision=precision), silent)
    assert caught.value.remedy


def test_a_context_below_nothing_is_refused(pairs: Pairs) -> None:
    """As it is for a GGUF file."""
    with pytest.raises(SettingError):
        load_packed(pairs("plain").packed, context=-1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card")
def test_no_graphics_card(pairs: Pairs) -> None:
    with pytest.raises(EngineError, match="No NVIDIA"):
        load(ModelSpec(pairs("plain").packed, device="cuda"), silent)


def test_without_a_card_and_with_too_little_memory_the_gguf_file_is_named(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read. The machine's memory can't be made small; the figure that it reports can."""
    real, stages = psutil.virtual_memory(), set()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: real._replace(available=1 << 28))
    with pytest.raises(EngineError, match="Not enough memory") as caught:
        load(ModelSpec(pairs("plain").packed, device="cpu"), lambda stage, _share: stages.add(stage))
    assert "GiB" in caught.value.text
    assert "0.2 GiB are free" in caught.value.text
    assert "GGUF" in caught.value.text + caught.value.remedy
    assert not any("weights" in stage for stage in stages)


def test_a_context_may_be_shortened(pairs: Pairs) -> None:
    folder = pairs("narrow-window").packed
    short, whole = load_packed(folder, context=57), load_packed(folder, context=1 << 20)
    assert (short.capabilities.context_length, whole.capabilities.context_length) == (57, 2048)
    canvas, found = random_ids(16, 2), []
    for denoiser in (short, whole):
        denoiser.prefill(Prompt(random_ids(41, 1)), ignore)
        denoiser.start_canvas(canvas)
        found.append(denoiser.step(canvas, 0.7, np.full(16, 0.5)).entropy)
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    with pytest.raises(PromptError, match="too long"):
        short.prefill(Prompt(random_ids(42, 1)), ignore)


def test_the_device_is_named(pairs: Pairs) -> None:
    able = load_packed(pairs("plain").packed).capabilities
    assert able.backend == "transformers"
    threads = torch.get_num_threads()
    assert able.device == f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    assert able.can_warm_start
    assert not able.can_step_rows
