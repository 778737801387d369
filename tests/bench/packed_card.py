"""What the published NVFP4 checkpoint costs on an NVIDIA GPU, with random values in its exact layout.

    python tests/bench/packed_card.py --out RESULT.json [--folder FOLDER] [--layers 30] [--only own,lean]

Makes the checkpoint where FOLDER has none, then measures each part in a process of its own, so that peaks are those of
the part: `own` (loading, steps after 1,024 and 8,192 tokens, 4,096 tokens generated, where a step's time goes), `lean`
(the same in 18 GB), `theirs` and `compiled` (transformers' own `generate` on the uncompressed model). RESULT is written
again after each part. Random weights: only times and sizes mean anything.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

CONTEXT, CANVAS, STEPS, CANVASES = 8192 + 256, 256, 16, 16
GIB = 1 << 30
PARTS = ("own", "lean", "theirs", "compiled")
# What a kernel belongs to, by a part of its name; the first that fits counts.
KERNELS = {
    "experts": ("product",),
    "attention": ("_attend", "_combine", "_heads"),
    "sampler": ("_scan", "_decide", "_spread"),
    "routing": ("_scores", "_route", "_sort"),
    "norms and sums": ("_norm", "_after_attention", "_after_experts", "_gated"),
    "dense products, head and soft embedding": ("nvjet", "gemm", "splitK", "cutlass", "xmma"),
}


def main() -> None:
    """Make the folder, run the parts, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "diffdesk-nvfp4")
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which a part is stopped")
    parser.add_argument("--part", choices=PARTS, help="measure this one here and print its figures")
    given = parser.parse_args()
    if given.part:
        print(json.dumps(_MEASURE[given.part](given.folder)))
        return
    _make(given.folder, given.layers)
    figures: dict[str, object] = {"layers": given.layers}
    for part in given.only.split(","):
        command = [sys.executable, __file__, "--out", str(given.out), "--folder", str(given.folder), "--part", part]
        began = time.perf_counter()
        figures |= _figures(command, given.limit, part)
        figures[f"{part}_seconds"] = round(time.perf_counter() - began, 1)
        given.out.write_text(json.dumps(figures, indent=1) + "\n")
        print(json.dumps(figures), flush=True)


def _figures(command: Sequence[str], limit: float, part: str) -> dict[str, object]:
    """The last figures that a part printed, also where it was stopped or failed after them."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            printed, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            printed, _ = process.communicate()
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    found: dict[str, object] = json.loads(lines[-1]) if lines else {}
    return found if process.returncode == 0 else {**found, f"{part}_failed": process.returncode}


def _make(folder: Path, layers: int) -> None:
    if (folder / "config.json").exists():
        return
    maker = [sys.executable, str(ROOT / "packaging" / "make_synthetic.py"), "--layout", "nvfp4"]
    subprocess.run([*maker, "--layers", str(layers), str(folder)], check=True, stdout=subprocess.DEVNULL)


def _own(folder: Path) -> dict[str, object]:
    import torch

    denoiser, figures = _loaded(folder, "auto")
    for name, prefix in (("1k", 1024), ("8k", 8192)):
        figures |= _steps(denoiser, name, prefix)
    figures["peak_gpu_gib"] = _used()
    figures["parts_ms"] = _parts(denoiser)
    figures |= _draft(denoiser)
    figures |= _answer(denoiser)
    figures["likeliest_256_ms"] = _likeliest()
    figures["device"] = torch.cuda.get_device_name()
    figures["copy_tb_per_s"] = _copy_speed()
    denoiser.close()
    return figures


def _lean(folder: Path) -> dict[str, object]:
    denoiser, figures = _loaded(folder, "int8")
    figures |= _steps(denoiser, "8k", 8192)
    figures |= _steps(denoiser, "1k", 1024)
    figures["peak_gpu_gib"] = _used()
    denoiser.close()
    return {f"lean_{name}": value for name, value in figures.items()}


def _loaded(folder: Path, precision: str) -> tuple[Any, dict[str, object]]:
    import torch

    from diffdesk.backends.registry import load
    from diffdesk.core.requests import ModelSpec

    began = time.perf_counter()
    seen: dict[str, float] = {}

    def progress(stage: str, _share: float) -> None:
        seen.setdefault(stage, round(time.perf_counter() - began, 2))

    denoiser: Any = load(ModelSpec(folder, device="cuda", precision=precision, context=CONTEXT), progress)
    figures: dict[str, object] = {
        "load_seconds": round(time.perf_counter() - began, 2),
        "load_stages": seen,
        "load_host_peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20), 2),
        "load_gpu_gib": _used(),
        "load_allocated_gib": round(torch.cuda.memory_allocated() / GIB, 2),
        "load_reserved_gib": round(torch.cuda.memory_reserved() / GIB, 2),
        "load_most_reserved_gib": round(torch.cuda.max_memory_reserved() / GIB, 2),
        "planned_gib": round(denoiser.model.planned / GIB, 2),
    }
    return denoiser, figures


def _used() -> float:
    """GiB of the card that are taken, the driver's own included; what was once needed is not given back."""
    import torch

    free, total = torch.cuda.mem_get_info()
    return round((total - free) / GIB, 2)


def _ids(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(300, 200_000, count, dtype=np.int32)


def _read(denoiser: Any, tokens: int, seed: int) -> float:
    """Milliseconds to read a prompt that shares nothing with the last one."""
    from diffdesk.core.denoiser import Prompt

    began = time.perf_counter()
    denoiser.prefill(Prompt(_ids(tokens, seed)), lambda _done, _total: None)
    import torch

    torch.cuda.synchronize()
    return round(1000 * (time.perf_counter() - began), 2)


def _steps(denoiser: Any, name: str, prefix: int) -> dict[str, object]:
    """A step as the generation loop sees it, and the recorded graph alone."""
    first, second = _read(denoiser, prefix, 1), _read(denoiser, prefix, 2)
    rng = np.random.default_rng(3)
    canvas = rng.integers(0, 262_144, CANVAS, dtype=np.int32)
    denoiser.start_canvas(canvas)
    times = []
    for _ in range(40):
        uniforms = rng.random(CANVAS)
        began = time.perf_counter()
        canvas = denoiser.step(canvas, 0.6, uniforms).sampled
        times.append(1000 * (time.perf_counter() - began))
    graph = denoiser.model.stepper.graph
    alone = None if graph is None else _timed(graph.replay)
    return {
        f"ms_per_step_{name}": round(statistics.median(times[5:]), 3),
        f"graph_ms_{name}": alone,
        f"prefill_ms_{name}": second,
        f"prefill_first_ms_{name}": first,
    }


def _timed(work: Callable[[], object], rounds: int = 15) -> float:
    import torch

    cuda: Any = torch.cuda
    begin, end = (cuda.Event(enable_timing=True) for _ in range(2))
    times: list[float] = []
    for _ in range(rounds):
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return round(statistics.median(times), 3)


def _parts(denoiser: Any) -> Mapping[str, object]:
    """Milliseconds of a step's kernels by what they are for, after 8,192 tokens' graph was played."""
    from torch.profiler import ProfilerActivity, profile

    graph = denoiser.model.stepper.graph
    if graph is None:
        return {}
    import torch

    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        for _ in range(5):
            graph.replay()
        torch.cuda.synchronize()
    found: dict[str, float] = {}
    largest: list[tuple[float, str]] = []
    for one in seen.key_averages():
        milliseconds = one.self_device_time_total / 5000
        name = next((part for part, signs in KERNELS.items() if any(sign in one.key for sign in signs)), "others")
        found[name] = found.get(name, 0.0) + milliseconds
        largest.append((round(milliseconds, 3), f"{one.count / 5:g} x {one.key[:60]}"))
    largest.sort(reverse=True)
    return {
        **{name: round(value, 3) for name, value in found.items()},
        "all kernels": round(sum(found.values()), 3),
        "graph": _timed(graph.replay),
        "largest": largest[:14],
    }


def _draft(denoiser: Any) -> dict[str, object]:
    """From a request with a prompt of 1,024 new tokens to the first draft, and to a canvas of 16 steps, committed."""
    found: dict[str, list[float]] = {"first_draft_ms": [], "first_canvas_ms": []}
    for seed in range(10, 15):
        rng = np.random.default_rng(seed)
        began = time.perf_counter()
        _read(denoiser, 1024, seed)
        canvas = rng.integers(0, 262_144, CANVAS, dtype=np.int32)
        denoiser.start_canvas(canvas)
        canvas = denoiser.step(canvas, 0.8, rng.random(CANVAS)).argmax
        found["first_draft_ms"].append(1000 * (time.perf_counter() - began))
        for _ in range(STEPS - 1):
            canvas = denoiser.step(canvas, 0.6, rng.random(CANVAS)).sampled
        denoiser.commit(canvas)
        found["first_canvas_ms"].append(1000 * (time.perf_counter() - began))
    return {name: round(statistics.median(times), 1) for name, times in found.items()}


def _answer(denoiser: Any) -> dict[str, object]:
    """4,096 tokens by DiffDesk's own loop, 16 steps for each canvas of 256."""
    from diffdesk.core.denoiser import Prompt
    from diffdesk.core.denoising import CanvasStart, denoise
    from diffdesk.core.parameters import GenerationParameters
    from diffdesk.core.sampler import Draws, SamplerSettings

    class View:
        """Every token is text."""

        def regions(self, ids: Any) -> Any:
            return np.zeros(len(ids), np.uint8)

        def pieces(self, ids: Any, positions: Any) -> tuple[str, ...]:
            return ("x",) * len(ids)

    settings = SamplerSettings.resolve(GenerationParameters(steps=STEPS, confidence=0.0, refresh=1), denoiser.defaults)
    draws = Draws(1, denoiser.tokenizer.vocab_size)
    began = time.perf_counter()
    denoiser.prefill(Prompt(_ids(1024, 5)), lambda _done, _total: None)
    stepped, seconds = 0, 0.0
    for index in range(CANVASES):
        start = CanvasStart(index, CANVASES, draws.noise(CANVAS))
        run = denoise(denoiser, start, settings, draws, View(), lambda: False)
        outcome = _ended(run)
        stepped, seconds = stepped + outcome.steps, seconds + outcome.seconds
        denoiser.commit(outcome.ids)
    whole = time.perf_counter() - began
    return {
        "generated_tokens": CANVASES * CANVAS,
        "generated_seconds": round(whole, 3),
        "generated_tokens_per_second": round(CANVASES * CANVAS / whole, 1),
        "loop_ms_per_step": round(1000 * seconds / stepped, 3),
        "steps_per_canvas": stepped / CANVASES,
    }


def _ended(run: Any) -> Any:
    """What a generator returns at its end."""
    while True:
        try:
            next(run)
        except StopIteration as ended:
            return ended.value


def _likeliest() -> float:
    """What finding the 256 likeliest tokens of each position takes by itself, in milliseconds."""
    import torch

    probabilities = torch.rand(CANVAS, 262_144, device="cuda", dtype=torch.bfloat16)
    return _timed(lambda: probabilities.topk(256, -1))


def _copy_speed() -> float:
    """TB/s of a copy on the device, bytes read and written together."""
    import torch

    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return round(2 * source.numel() / _timed(lambda: target.copy_(source)) / 1e9, 2)


def _theirs(_folder: Path) -> dict[str, object]:
    return _transformers("default", {})


def _compiled(_folder: Path) -> dict[str, object]:
    return _transformers("compiled", {"cache_implementation": "static"})


def _transformers(kind: str, how: Mapping[str, object]) -> dict[str, object]:
    """`generate` of transformers on the uncompressed model: milliseconds a step."""
    import torch
    from synthetic_layout import PUBLISHED
    from transformers.models.diffusion_gemma.configuration_diffusion_gemma import DiffusionGemmaConfig
    from transformers.models.diffusion_gemma.modeling_diffusion_gemma import DiffusionGemmaForBlockDiffusion

    config = DiffusionGemmaConfig(**json.loads(json.dumps(dict(PUBLISHED))))
    config._experts_implementation = "grouped_mm"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("meta"):
        model = DiffusionGemmaForBlockDiffusion._from_config(config, attn_implementation="sdpa", dtype=torch.bfloat16)
    made: dict[int, Any] = {}
    for module in model.modules():  # what is tied stays tied, which `to_empty` doesn't see to
        for name, one in [*module._parameters.items(), *module._buffers.items()]:
            if one is not None:
                kept = made.setdefault(id(one), torch.empty_like(one, device="cuda"))
                store = module._parameters if name in module._parameters else module._buffers
                store[name] = torch.nn.Parameter(kept, False) if store is module._parameters else kept
    with torch.no_grad():
        for name, one in model.named_parameters():
            one.normal_(0, one.shape[-1] ** -0.5) if one.ndim > 1 else one.fill_(0.06 if "_norm.weight" in name else 1)
        for name, one in model.named_buffers():
            one.fill_(0.9 if name.endswith("layer_scalar") else 0.01 if "inv_freq" in name else 1)
    model.eval()
    figures: dict[str, object] = {}
    for name, prefix in (("1k", 1024), ("8k", 8192)):
        figures |= _generate(model, f"transformers_{kind}_ms_{name}", prefix, how)
        figures[f"transformers_{kind}_ms"] = figures[f"transformers_{kind}_ms_1k"]
        figures[f"transformers_{kind}_peak_gib"] = _used()
        print(json.dumps(figures), flush=True)  # compiling may take longer than there is time
    return figures


def _generate(model: Any, name: str, prefix: int, how: Mapping[str, object]) -> dict[str, object]:
    """The difference of two runs that differ in their steps alone."""
    import torch
    from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
        DiffusionGemmaGenerationConfig,
        EntropyBoundSamplerConfig,
    )

    ids = torch.from_numpy(_ids(prefix, 7).astype(np.int64))[None].cuda()

    def run(steps: int) -> float:
        settings = DiffusionGemmaGenerationConfig(
            max_denoising_steps=steps,
            t_min=0.4,
            t_max=0.8,
            stability_threshold=10_000,
            confidence_threshold=1e-9,  # nothing ends early
            sampler_config=EntropyBoundSamplerConfig(entropy_bound=0.1),
            eos_token_id=[1],
            pad_token_id=0,
            max_new_tokens=CANVAS,
            **how,
        )
        torch.cuda.synchronize()
        began = time.perf_counter()
        model.generate(ids, generation_config=settings)
        torch.cuda.synchronize()
        return time.perf_counter() - began

    try:
        first = run(4)
        short = min(run(4) for _ in range(2))
        long = min(run(16) for _ in range(2))
    except (RuntimeError, ValueError, TypeError) as error:
        torch.cuda.empty_cache()
        return {name: None, f"{name}_error": f"{type(error).__name__}: {str(error)[:300]}"}
    return {name: round(1000 * (long - short) / 12, 2), f"{name}_first_call_s": round(first, 1)}


_MEASURE: Mapping[str, Callable[[Path], dict[str, object]]] = {
    "own": _own,
    "lean": _lean,
    "theirs": _theirs,
    "compiled": _compiled,
}


if __name__ == "__main__":
    main()
