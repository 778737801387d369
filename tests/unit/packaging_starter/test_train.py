"""Training: each step moves what it used, and a piece goes on from another's weights."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from starter import held, train, vocabulary
from starter.checkpoints import read_checkpoint
from starter.data import SLOTS
from starter.network import Network

from diffdesk.core.lines import CELL_PIXELS, MOST_CELLS
from tests.unit.packaging_starter.fetched import write_data
from tests.unit.packaging_starter.models import SMALL, lively_weights


def batch(*, has_pictures: bool) -> train.Batch:
    random = torch.Generator().manual_seed(5)
    slots = torch.randint(vocabulary.FIRST_CHARACTER, vocabulary.FIRST_PAIR, (2, SLOTS), generator=random)
    slots[:, 100:] = vocabulary.PAD
    if not has_pictures:
        return train.Batch(slots, slots, None)
    targets = slots.clone()
    slots[:, :20:5], targets[:, :20:5] = vocabulary.IMAGE, vocabulary.PAD
    size = (2, CELL_PIXELS, MOST_CELLS * CELL_PIXELS)
    return train.Batch(slots, targets, torch.randint(0, 256, size, dtype=torch.uint8, generator=random))


@pytest.mark.parametrize("is_resumed", [False, True])
@pytest.mark.parametrize("has_pictures", [False, True])
@pytest.mark.parametrize("is_conditioned", [False, True])
def test_a_step_moves_all_matrices_that_it_used(
    monkeypatch: pytest.MonkeyPatch, is_resumed: bool, has_pictures: bool, is_conditioned: bool
) -> None:
    monkeypatch.setattr(train, "SHARE_CONDITIONED", float(is_conditioned))
    weights = lively_weights()
    if is_resumed:  # a checkpoint's order
        weights = dict(sorted(weights.items()))
    before = {name: weight.clone() for name, weight in weights.items()}
    weights = {name: weight.requires_grad_() for name, weight in weights.items()}
    optimiser = train.Optimiser(weights, 0.02, 0.002, is_fused=False)
    loss, main = train.Trainer(Network(weights, SMALL), "cpu", 1).loss(batch(has_pictures=has_pictures))
    torch.autograd.backward(loss)
    optimiser.step(1.0)
    assert 0 < float(main) < float(loss.detach())
    for name, weight in weights.items():
        is_used = (is_conditioned or "self_conditioning" not in name) and (
            has_pictures or not ("vision" in name or name.startswith("model.encoder"))
        )
        assert torch.equal(weight, before[name]) != is_used, name
        assert weight.grad is None


def test_matrices_become_orthogonal() -> None:
    matrices = torch.randn(3, 40, 24, generator=torch.Generator().manual_seed(1))
    sizes = torch.linalg.svdvals(train._orthogonal(matrices))
    assert sizes.min() > 0.5
    assert sizes.max() < 1.3


@pytest.mark.skipif(sys.platform != "linux", reason="the workers are forked")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_piece_goes_on_where_another_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "COUNT", 2)
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    common = ["--data", str(data), "--out", str(out), "--layers", "2", "--device", "cpu", "--batch", "2"]
    common += ["--text-workers", "1", "--line-workers", "1", "--text-pool", "40", "--line-pool", "40"]
    common += ["--most-steps", "2", "--seconds", "60"]
    train.train(train.parse([*common, "--to", "0.5"]))
    first = read_checkpoint(out / "last")
    train.train(train.parse([*common, "--from", "0.5", "--resume", str(out / "last")]))
    second = read_checkpoint(out / "last")
    assert first.keys() == second.keys()
    # Two steps at the foot of the warm-up: near to the weights that were read, and not the same.
    moved = max(float((first[name] - second[name]).abs().max()) for name in first)
    assert 0 < moved < 0.01
    log = (out / "log.txt").read_text(encoding="utf-8")
    assert log.count("saved after 2 steps of 2") == log.count("final {") == 2
    assert set(re.findall(r'"([a-z ]+)": {', log)) == {"mixed", "classic", "clean", "moderate alone", "bad alone"}
