"""Trains the starter model on one GPU, in pieces that each fit into less than ten minutes.

    python packaging/kit.py train --data DIR --out DIR --seconds 540 --from 0.0 --to 0.4
    python packaging/kit.py train --data DIR --out DIR --seconds 540 --from 0.4 --to 0.7 --resume DIR/…
    python packaging/kit.py train --data DIR --out DIR --seconds 540 --from 0.7 --to 1.0 --resume DIR/…

A piece covers a part of one schedule of the learning rate: it rises over the first steps, stays, and falls in a line
from `FLAT` to the end. Checkpoints are two files of float16 weights, each under 16 MB.
"""

from __future__ import annotations

import argparse
import json
import math
import queue
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffdesk.core.lines import LineTask
from starter import vocabulary
from starter.checkpoints import read_checkpoint, save_checkpoint
from starter.data import SLOTS, Pool, Sources, Workshop, open_workshop
from starter.held import HeldSet, HeldSets
from starter.network import Cache, Network, Shape, Weights, initial_weights

FLAT = 0.3  # share of the schedule before the learning rate falls
WARM_UP = 150  # steps
SHARE_WARM = 0.6  # canvases that begin as the draft
SHARE_CONDITIONED = 0.3  # steps with self-conditioning
SHARE_LINES = 0.42  # steps on pictures
SHARE_ENCODER = 0.15  # of the encoder's own loss
ENTROPY_BOUND = 0.1
_NOT_IN_EVERY_STEP = ("self_conditioning", "vision_tower")  # parts of the network


@dataclass(frozen=True)
class Settings:
    """What can be set from the command line.

    Attributes:
        data: the folder that ``fetch`` filled.
        out: the folder for checkpoints and the log.
        recogniser: its ONNX file; without it all drafts are synthetic.
        seconds: of this piece, the start of its workers included.
        start, end: the part of the schedule that the piece covers.
        resume: a checkpoint of the piece before, without its ``_a.safetensors``. Weights are all that is kept: the
            optimisers gather their momenta anew while the learning rate rises again.
        device: as torch names it.
        batch: samples of a step.
        text_workers, line_workers: processes that make samples.
        text_pool, line_pool: samples that are kept to draw from.
        muon_rate, adam_rate: the learning rates at their highest.
        evaluate_every, save_every: seconds.
        most_steps: ends a piece early.
        seed: of everything that is drawn.
        layers: of the text part; what ships has the full number.
    """

    data: Path
    out: Path
    recogniser: Path | None = None
    seconds: float = 540.0
    start: float = 0.0
    end: float = 1.0
    resume: Path | None = None
    device: str = "cuda"
    batch: int = 1024
    text_workers: int = 2
    line_workers: int = 11
    text_pool: int = 700_000
    line_pool: int = 300_000
    muon_rate: float = 0.02
    adam_rate: float = 0.002
    evaluate_every: float = 200.0
    save_every: float = 240.0
    most_steps: int = 10**9
    seed: int = 1
    layers: int = 8


class Log:
    """Lines with the time since the start, on the screen and in a file."""

    def __init__(self, path: Path) -> None:
        self._begin = time.monotonic()
        self._file: TextIO = path.open("a", encoding="utf-8")

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begin

    def say(self, text: str) -> None:
        """Write a line."""
        line = f"[{self.seconds:6.1f}] {text}"
        print(line, flush=True)
        self._file.write(line + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Optimiser:
    """Muon for the matrices inside layers, AdamW for embeddings, norms and routers.

    Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon) moves a matrix along the orthogonalised mean
    of its gradients. Matrices of one shape are handled together, apart for each part of the network that some steps
    do without: their gradients are there together, or none is.
    """

    def __init__(self, weights: Weights, muon_rate: float, adam_rate: float, *, is_fused: bool) -> None:
        self._rates = (muon_rate, adam_rate)
        others: list[Tensor] = []
        groups: dict[tuple[str, tuple[int, ...]], list[Tensor]] = {}
        for name, weight in weights.items():
            if weight.dim() < 2 or any(part in name for part in ("embed", "router")):
                others.append(weight)
            else:
                part = next((one for one in _NOT_IN_EVERY_STEP if one in name), "")
                groups.setdefault((part, tuple(weight.shape)), []).append(weight)
        self._groups = list(groups.values())
        self._momenta = [torch.zeros_like(torch.stack(group)) for group in self._groups]
        wide = [one for one in others if one.dim() >= 2]
        narrow = [one for one in others if one.dim() < 2]
        self._others = others
        self._adam = torch.optim.AdamW(
            [{"params": wide, "weight_decay": 0.01}, {"params": narrow, "weight_decay": 0.0}],
            lr=adam_rate,
            betas=(0.9, 0.98),
            eps=1e-9,
            fused=is_fused,
        )
        self._all = [one for group in self._groups for one in group] + others

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One step with the learning rates times `factor`; clears the gradients."""
        torch.nn.utils.clip_grad_norm_([one for one in self._others if one.grad is not None], 1.0)
        rate = self._rates[0] * factor
        for group, momentum in zip(self._groups, self._momenta, strict=True):
            gradients = [one.grad for one in group if one.grad is not None]
            if not gradients:
                continue
            gradient = torch.stack(gradients)
            momentum.lerp_(gradient, 0.05)
            update = gradient.lerp(momentum, 0.95)
            shape = update.shape
            flat = _orthogonal(update.reshape(-1, shape[-2], shape[-1])).float()
            flat = flat * math.sqrt(max(1.0, shape[-2] / shape[-1]))
            torch._foreach_mul_(group, 1 - rate * 0.01)
            torch._foreach_add_(group, list(flat.reshape(shape).unbind(0)), alpha=-rate)
        for options in self._adam.param_groups:
            options["lr"] = self._rates[1] * factor
        self._adam.step()
        for one in self._all:
            one.grad = None


def _orthogonal(matrices: Tensor) -> Tensor:
    """[N, a, b]: the nearest orthogonal matrices, by five steps of Newton and Schulz."""
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    is_tall = x.shape[-2] > x.shape[-1]
    x = x.mT if is_tall else x
    size: Tensor = x.norm(dim=(-2, -1), keepdim=True)
    x = x / (size + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.mT if is_tall else x


@dataclass(frozen=True)
class Batch:
    """Samples on the device: int64[B, SLOTS] twice, and uint8 pictures where there are any."""

    slots: Tensor
    targets: Tensor
    pictures: Tensor | None


class Trainer:
    """The losses of a batch, and quick measurements on held-out lines."""

    def __init__(self, network: Network, device: str, seed: int) -> None:
        self._network = network
        self._device = device
        self._rng = random.Random(seed)
        self._heads = {task: torch.tensor(vocabulary.prompt_head(task), device=device) for task in LineTask}
        self._foot = torch.tensor(vocabulary.prompt_foot(), device=device)

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(what to minimise, the canvas's own loss)."""
        slots, targets = batch.slots, batch.targets
        shares = self._shares(slots)
        hidden, cache = self._read(batch)
        begin = len(self._heads[LineTask.TEXT])
        own = self._network.loss(hidden[:, begin : begin + SLOTS].contiguous(), targets, shares)
        canvas = self._canvas(slots, targets)
        conditioning = None
        if self._rng.random() < SHARE_CONDITIONED:
            with torch.no_grad():
                before = self._network.logits(self._network.decode(canvas, cache))
                conditioning = before / self._uniform(len(slots), 1, 1, low=0.4, high=0.8)
                accepted = self._accepted(conditioning)
                canvas = torch.where(self._uniform(len(slots), 1) < 0.8, accepted, canvas)
        seen = self._network.decode(canvas, cache, conditioning)
        main = self._network.loss(seen, targets, shares)
        return main + SHARE_ENCODER * own, main.detach()

    @torch.no_grad()
    def read(self, batch: Batch, steps: int, *, is_warm: bool) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(tokens, their probabilities) of canvases after some steps, as the sampler makes them."""
        _, cache = self._read(batch)
        canvas = batch.slots.masked_fill(batch.slots == vocabulary.IMAGE, vocabulary.PAD)
        if not is_warm:
            canvas = torch.randint(0, vocabulary.SIZE, canvas.shape, device=self._device)
        conditioning = None
        logits = torch.zeros(0)
        for step in range(steps):
            logits = self._network.logits(self._network.decode(canvas, cache, conditioning))
            conditioning = logits / (0.8 - 0.4 * step / max(1, steps - 1))
            canvas = self._accepted(conditioning)
        probability, token = logits.softmax(-1).max(-1)
        return token.cpu().numpy(), probability.cpu().numpy()

    def _read(self, batch: Batch) -> tuple[Tensor, Cache]:
        """The prompts; lines with pictures have a draft or none, and are told so."""
        slots = batch.slots
        rows = len(slots)
        foot = self._foot[None].expand(rows, -1)
        if batch.pictures is None:
            head = self._heads[LineTask.TEXT][None].expand(rows, -1)
            return self._network.encode(torch.cat((head, slots, foot), 1))
        is_alone = ((slots == vocabulary.PAD) | (slots == vocabulary.IMAGE)).all(1)
        head = torch.where(is_alone[:, None], self._heads[LineTask.PICTURE][None], self._heads[LineTask.LINE][None])
        features = self._network.see(batch.pictures, (slots == vocabulary.IMAGE).sum(1))
        return self._network.encode(torch.cat((head, slots, foot), 1), features)

    def _shares(self, slots: Tensor) -> Tensor:
        """float32[B, SLOTS]: what each position counts: blanks after the end and cells hardly anything."""
        position = torch.arange(SLOTS, device=self._device)
        # What a line's last cell has room for is part of the line.
        last_cell = torch.where(slots == vocabulary.IMAGE, position + 4, 0).amax(1, keepdim=True)
        last = torch.where(slots != vocabulary.PAD, position, 0).amax(1, keepdim=True).maximum(last_cell)
        shares = torch.where(slots == vocabulary.PAD, 0.5, 1.0)
        shares = shares.masked_fill(slots == vocabulary.IMAGE, 0.02)
        return shares.masked_fill(position > last, 0.02)

    def _canvas(self, slots: Tensor, targets: Tensor) -> Tensor:
        """Where denoising begins: the draft, or truth or draft with random tokens in a random share of positions."""
        rows = len(slots)
        draft = slots.masked_fill(slots == vocabulary.IMAGE, vocabulary.PAD)
        is_alone = (draft == vocabulary.PAD).all(1, keepdim=True)
        share = self._uniform(rows, 1)
        share = torch.where(self._uniform(rows, 1) < 0.5, torch.ones_like(share), share)
        known = torch.where((self._uniform(rows, 1) < 0.5) | is_alone, targets, draft)
        random_tokens = torch.randint(0, vocabulary.SIZE, slots.shape, device=self._device)
        noisy = torch.where(self._uniform(*slots.shape) < share, random_tokens, known)
        return torch.where((self._uniform(rows, 1) < SHARE_WARM) & ~is_alone, draft, noisy)

    def _accepted(self, processed: Tensor) -> Tensor:
        """A canvas after a step: the positions within the entropy bound hold a drawn token, the others noise."""
        odds = processed.softmax(-1)
        drawn = (odds / torch.empty_like(odds).exponential_(1).clamp_min_(1e-20)).argmax(-1)
        entropy = -(odds * (odds + 1e-12).log()).sum(-1)
        ordered, order = entropy.sort(-1)
        within = (ordered.cumsum(-1) - ordered) <= ENTROPY_BOUND
        accepted = torch.zeros_like(within).scatter(1, order, within)
        return torch.where(accepted, drawn, torch.randint(0, vocabulary.SIZE, drawn.shape, device=self._device))

    def _uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.rand(*shape, device=self._device) * (high - low) + low


def batches(workshop: Workshop, settings: Settings) -> Iterator[Batch]:
    """Batches without end; a thread draws and copies ahead."""
    rng = np.random.default_rng(settings.seed)
    is_cuda = settings.device.startswith("cuda")
    ahead: queue.Queue[tuple[Tensor, Tensor | None]] = queue.Queue(maxsize=6)

    def drawn(pool: Pool) -> tuple[Tensor, Tensor | None]:
        places = pool.draw(settings.batch, rng)
        both = torch.from_numpy(np.stack((pool.slots[places], pool.targets[places])))
        pictures = torch.from_numpy(pool.pictures[places]) if pool.pictures.shape[2] else None
        if is_cuda:
            both = both.pin_memory()
            pictures = None if pictures is None else pictures.pin_memory()
        return both, pictures

    def fill() -> None:
        lines = 0.0
        while True:
            lines += SHARE_LINES
            is_lines = lines >= 1.0
            lines -= is_lines
            ahead.put(drawn(workshop.lines if is_lines else workshop.texts))

    threading.Thread(target=fill, daemon=True).start()
    while True:
        both, pictures = ahead.get()
        both = both.to(settings.device, non_blocking=True).long()
        seen = None if pictures is None else pictures.to(settings.device, non_blocking=True)
        yield Batch(both[0], both[1], seen)


def evaluate(trainer: Trainer, sets: list[HeldSet], device: str) -> dict[str, dict[str, float]]:
    """Character error rates in per cent of drafts and corrections, with and without a gate."""
    report: dict[str, dict[str, float]] = {}
    for one in sets:
        slots = torch.from_numpy(one.slots.astype(np.int64)).to(device)
        pictures = None if one.pictures is None else torch.from_numpy(one.pictures).to(device)
        batch = Batch(slots, slots, pictures)
        row = {"draft": one.error_rate(one.slots.astype(np.int64))}
        token, probability = trainer.read(batch, 1, is_warm=not one.is_alone)
        if one.is_alone:
            row["one step"] = one.error_rate(token)
            row["eight"] = one.error_rate(trainer.read(batch, 8, is_warm=False)[0])
        else:
            for gate in (0.0, 0.5, 0.7, 0.8, 0.9, 0.95):
                row[f"gate {gate:g}"] = one.error_rate(np.where(probability < gate, one.slots, token))
            row["warm 4"] = one.error_rate(trainer.read(batch, 4, is_warm=True)[0])
        report[one.name] = {name: round(value, 3) for name, value in row.items()}
    return report


def train(settings: Settings) -> None:
    """One piece of training; everything that comes of it lies in `settings.out`."""
    settings.out.mkdir(parents=True, exist_ok=True)
    log = Log(settings.out / "log.txt")
    sources = Sources(settings.data, settings.recogniser)
    workshop = open_workshop(
        sources,
        text_workers=settings.text_workers,
        line_workers=settings.line_workers,
        texts=settings.text_pool,
        lines=settings.line_pool,
        device=settings.device,
        seed=settings.seed + int(1000 * settings.start),
    )
    held = HeldSets(sources, settings.device)
    try:
        _Piece(settings, workshop, held, log).run()
    finally:
        workshop.stop()
        log.close()


class _Piece:
    """One piece of training as it goes."""

    def __init__(self, settings: Settings, workshop: Workshop, held: HeldSets, log: Log) -> None:
        self._settings, self._workshop, self._held, self._log = settings, workshop, held, log
        self._is_cuda = settings.device.startswith("cuda")
        torch.manual_seed(settings.seed)
        torch.backends.cuda.matmul.allow_tf32 = True
        shape = Shape(layers=settings.layers)
        begin = initial_weights(shape, settings.seed) if settings.resume is None else read_checkpoint(settings.resume)
        weights = {name: weight.to(settings.device).requires_grad_() for name, weight in begin.items()}
        log.say(f"{sum(one.numel() for one in weights.values()) / 1e6:.2f} M parameters, torch {torch.__version__}")
        kind = torch.bfloat16 if self._is_cuda else torch.float32
        network = Network(weights, shape, kind, is_compiled=self._is_cuda)
        self._weights = weights
        self._trainer = Trainer(network, settings.device, settings.seed)
        self._quick = Trainer(Network(weights, shape, kind), settings.device, settings.seed)
        self._optimiser = Optimiser(weights, settings.muon_rate, settings.adam_rate, is_fused=self._is_cuda)
        self._steps = 0
        self._losses: tuple[list[Tensor], list[Tensor]] = ([], [])  # of texts and of lines, since they were told

    def run(self) -> None:
        """Train until the time is up, then save and measure."""
        settings, log = self._settings, self._log
        self._workshop.wait(24)
        log.say(f"pools: {self._workshop.texts.made.sum()} texts, {self._workshop.lines.made.sum()} lines")
        source = batches(self._workshop, settings)
        begin = told = evaluated = saved = log.seconds
        while self._steps < settings.most_steps:
            share = (log.seconds - begin) / (settings.seconds - begin)
            if share >= 1.0:
                break
            place = settings.start + (settings.end - settings.start) * share
            factor = min(1.0, (self._steps + 1) / WARM_UP) * min(1.0, (1.0 - place) / (1.0 - FLAT))
            self._step(next(source), factor)
            if self._steps == 4:
                log.say("compiled")
            now = log.seconds
            if now - told > 20:
                self._tell(f"place {place:.3f} rate {factor:.3f}", now - begin)
                told = log.seconds
            if now - evaluated > settings.evaluate_every:
                self._measure("held-out")
                evaluated = log.seconds
            if now - saved > settings.save_every:
                self._save()
                saved = log.seconds
        self._save()
        log.say(f"saved after {self._steps} steps of {settings.batch}")
        self._measure("final")
        if self._is_cuda:
            log.say(f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB")

    def _step(self, batch: Batch, factor: float) -> None:
        with self._autocast():
            loss, main = self._trainer.loss(batch)
        torch.autograd.backward(loss)
        self._optimiser.step(factor)
        self._losses[batch.pictures is not None].append(main)
        self._steps += 1

    def _tell(self, place: str, seconds: float) -> None:
        text, line = (float(torch.stack(part).mean()) if part else math.nan for part in self._losses)
        made = f"made {self._workshop.texts.made.sum()} {self._workshop.lines.made.sum()}"
        speed = self._steps * self._settings.batch / seconds
        self._log.say(f"step {self._steps} {place} text {text:.4f} line {line:.4f} {speed:.0f}/s {made}")
        self._losses = ([], [])

    def _save(self) -> None:
        save_checkpoint(self._weights, self._settings.out, "last")

    def _measure(self, name: str) -> None:
        begin = self._log.seconds
        with self._autocast():
            report = evaluate(self._quick, self._held.get(), self._settings.device)
        self._log.say(f"{name} {json.dumps(report)} ({self._log.seconds - begin:.1f} s)")

    def _autocast(self) -> torch.autocast:
        return torch.autocast("cuda" if self._is_cuda else "cpu", dtype=torch.bfloat16, enabled=self._is_cuda)


def parse(arguments: list[str]) -> Settings:
    """The command line."""
    parser = argparse.ArgumentParser(prog="kit.py train", description=(__doc__ or "").splitlines()[0])
    names = {"start": "--from", "end": "--to"}
    for one in fields(Settings):
        flag = names.get(one.name, "--" + one.name.replace("_", "-"))
        kind: type = Path if one.name in {"data", "out", "resume", "recogniser"} else type(one.default)
        parser.add_argument(flag, dest=one.name, type=kind, default=one.default, required=one.name in {"data", "out"})
    return Settings(**vars(parser.parse_args(arguments)))
