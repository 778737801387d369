"""The kit's network computes what transformers' model computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from starter import vocabulary
from starter.network import Network, Shape, Weights
from torch import Tensor
from transformers.models.diffusion_gemma.configuration_diffusion_gemma import DiffusionGemmaConfig
from transformers.models.diffusion_gemma.modeling_diffusion_gemma import DiffusionGemmaForBlockDiffusion
from transformers.models.gemma4.image_processing_pil_gemma4 import convert_image_to_patches

from diffdesk.core.lines import CELL_PIXELS, MOST_CELLS, LineTask
from tests.unit.backends.parity import relative_error
from tests.unit.packaging_starter.models import SMALL, lively_weights

STARTER = Path(__file__).parents[3] / "resources" / "starter"
CELLS = 11


@pytest.fixture(scope="module")
def small() -> tuple[DiffusionGemmaForBlockDiffusion, Network]:
    weights = lively_weights()
    return loaded(weights, SMALL), Network(weights, SMALL)


@pytest.fixture(scope="module")
def starter() -> tuple[DiffusionGemmaForBlockDiffusion, Network]:
    model = DiffusionGemmaForBlockDiffusion.from_pretrained(STARTER, dtype=torch.float32).eval()
    weights = {name: weight.float() for name, weight in load_file(STARTER / "model.safetensors").items()}
    return model, Network(weights, Shape())


def loaded(weights: Weights, shape: Shape) -> DiffusionGemmaForBlockDiffusion:
    model = DiffusionGemmaForBlockDiffusion(DiffusionGemmaConfig(**shape.config())).eval()
    found = model.load_state_dict(weights, strict=False)
    model.tie_weights()
    assert not found.unexpected_keys
    assert all(
        "encoder.language_model" in name or name.endswith(("layer_scalar", "lm_head.weight"))
        for name in found.missing_keys
    )
    return model


def prompt(task: LineTask, slots: int, cells: int) -> Tensor:
    """int64[1, T]: characters, with a cell in every fifth slot."""
    shown = np.full(slots, vocabulary.PAD)
    shown[: slots - 20] = np.random.default_rng(2).integers(
        vocabulary.FIRST_CHARACTER, vocabulary.FIRST_PAIR, slots - 20
    )
    shown[: 5 * cells : 5] = vocabulary.IMAGE
    return torch.tensor([[*vocabulary.prompt_head(task), *shown.tolist(), *vocabulary.prompt_foot()]])


def pixels_of(picture: Tensor) -> dict[str, Tensor]:
    """What transformers' model takes: patches of three equal channels, and where each patch stands."""
    channels = (picture.float() / 255)[:, None].expand(1, 3, *picture.shape[1:])
    rows, columns = picture.shape[1] // 16, picture.shape[2] // 16
    places = [(column, row) for row in range(rows) for column in range(columns)]
    return {
        "pixel_values": torch.from_numpy(convert_image_to_patches(channels[0].numpy(), 16).copy())[None],
        "image_position_ids": torch.tensor([places]),
    }


def check(model: DiffusionGemmaForBlockDiffusion, network: Network, cells: int, tolerance: float) -> None:
    """Compare the logits without and with self-conditioning."""
    slots = network.shape.slots
    random = torch.Generator().manual_seed(3)
    canvas = torch.randint(0, vocabulary.SIZE, (1, slots), generator=random)
    before = 3 * torch.randn(1, slots, vocabulary.SIZE, generator=random)
    ids = prompt(LineTask.LINE if cells else LineTask.TEXT, slots, cells)
    # Wider than what is there: the rest must not be seen.
    picture = torch.randint(0, 256, (1, CELL_PIXELS, MOST_CELLS * CELL_PIXELS), dtype=torch.uint8, generator=random)
    pixels = pixels_of(picture[..., : cells * CELL_PIXELS]) if cells else {}
    with torch.inference_mode():
        features = network.see(picture, torch.tensor([cells])) if cells else None
        _, cache = network.encode(ids, features)
        for conditioning in (None, before):
            ours = network.logits(network.decode(canvas, cache, conditioning))
            theirs = model(
                input_ids=ids, decoder_input_ids=canvas, self_conditioning_logits=conditioning, **pixels
            ).logits
            assert relative_error(ours, theirs) < tolerance


@pytest.mark.parametrize("cells", [0, CELLS])
def test_a_small_random_model(small: tuple[DiffusionGemmaForBlockDiffusion, Network], cells: int) -> None:
    check(*small, cells, 1e-5)


@pytest.mark.parametrize("cells", [0, CELLS])
def test_the_model_that_ships(starter: tuple[DiffusionGemmaForBlockDiffusion, Network], cells: int) -> None:
    check(*starter, cells, 1e-4)


@pytest.mark.parametrize("change", [lambda ids: ids.roll(1, 1), lambda ids: ids.flip(1)])
def test_logits_depend_on_the_prompt(
    small: tuple[DiffusionGemmaForBlockDiffusion, Network], change: Callable[[Tensor], Tensor]
) -> None:
    """Without this the comparisons could hold for a network that looks at nothing."""
    network = small[1]
    ids = prompt(LineTask.TEXT, SMALL.slots, 0)
    canvas = torch.full((1, SMALL.slots), vocabulary.PAD)
    one, other = (network.logits(network.decode(canvas, network.encode(each)[1])) for each in (ids, change(ids)))
    assert relative_error(one, other) > 0.01
