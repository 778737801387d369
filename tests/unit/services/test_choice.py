"""Which form of the model is advised on which machine, and what is said of a packed folder before it is loaded."""

from __future__ import annotations

import json

import pytest
from make_synthetic import header
from synthetic_layout import NVFP4, PUBLISHED, index, small_files, spread, tensors

from diffdesk.backends.checkpoint import CheckpointFacts, inspect_checkpoint
from diffdesk.backends.packed.layout import PackedLayout
from diffdesk.core.errors import CheckpointError
from diffdesk.models.hardware import GraphicsCard
from diffdesk.services.choice import describe_choice, packed_warning

GIB = 1 << 30
SMALL, MEDIUM = GraphicsCard("RTX 4060", 8 * GIB, 7 * GIB), GraphicsCard("RTX 4000", 20_475 << 20, 19 * GIB)
LARGE, HUGE = GraphicsCard("RTX 3090", 24_576 << 20, 23 * GIB), GraphicsCard("H200", 141 * GIB, 140 * GIB)


@pytest.mark.parametrize(
    ("cards", "first", "says"),
    [
        ([], "GGUF", "no NVIDIA card"),
        ([SMALL], "GGUF", "less than 18 GB"),
        ([MEDIUM], "The NVFP4 folder, for RTX 4000", "lean"),
        ([LARGE], "The NVFP4 folder, for RTX 3090", "--precision int8"),
        ([SMALL, LARGE], "The NVFP4 folder, for RTX 3090", "about 19 GiB"),
        ([HUGE, HUGE], "The NVFP4 folder, for H200", "The uncompressed folder (bfloat16, 52 GB) fits as well"),
    ],
)
def test_the_advice_is_one_paragraph_with_its_reason(cards: list[GraphicsCard], first: str, says: str) -> None:
    text = describe_choice(cards, has_torch=True)
    assert text.startswith(first)
    assert says in text
    assert "19 GB of memory" in text
    assert "--device" in text
    assert "\n" not in text


def test_what_has_to_be_installed_is_named() -> None:
    assert "pip install 'diffdesk[gpu]'" in describe_choice([LARGE], has_torch=False)
    assert "pip install" not in describe_choice([], has_torch=False)


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> CheckpointFacts:
    """The published folder with holes for its weights: headers of the full size, on a file system that has holes."""
    folder = tmp_path_factory.mktemp("published")
    files = spread(tensors(PUBLISHED, NVFP4), 2)
    for name, listed in files.items():
        head = header(listed)
        with (folder / name).open("wb") as file:
            file.write(head)
            file.truncate(len(head) + sum(one.bytes for one in listed))
    for name, data in {**small_files(PUBLISHED, NVFP4), "model.safetensors.index.json": index(files)}.items():
        (folder / name).write_text(json.dumps(data))
    return inspect_checkpoint(folder)


def warned(facts: CheckpointFacts, cards: list[GraphicsCard], free: int = 64 * GIB) -> CheckpointError | None:
    assert isinstance(facts.layout, PackedLayout)
    return packed_warning(facts, facts.layout, cards, free)


def test_the_published_folder_is_what_it_is(facts: CheckpointFacts) -> None:
    assert len(facts.entries) == 47_067
    assert facts.precision == "NVFP4"
    assert facts.can_see_images


def test_cards_with_room_are_not_warned_of(facts: CheckpointFacts) -> None:
    assert warned(facts, [LARGE]) is None
    assert warned(facts, [SMALL, HUGE]) is None
    assert warned(facts, [MEDIUM]) is None, "the lean way fits 19 GiB"


def test_a_card_that_is_too_small_is_told_with_the_plan(facts: CheckpointFacts) -> None:
    found = warned(facts, [SMALL])
    assert found is not None
    assert "for weights" in found.text
    assert "7.0 GiB are free on RTX 4060" in found.text
    assert "GGUF" in found.remedy


def test_without_a_card_the_gguf_file_is_advised(facts: CheckpointFacts) -> None:
    found = warned(facts, [])
    assert found is not None
    assert "wants a graphics card" in found.title
    assert "GGUF" in found.remedy
