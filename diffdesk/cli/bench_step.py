"""``diffdesk bench step``: what one denoising step costs, on the model and machine at hand."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict

from diffdesk.cli.model import model_asked_for
from diffdesk.core.events import Finished
from diffdesk.core.messages import Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import RunRequest, TaskKind
from diffdesk.core.trace import CanvasClosed, StepDelta
from diffdesk.engine.client import EngineClient
from diffdesk.paths import Places, starter_dir
from diffdesk.services.step_measure import compare_with_torch, measure_parts

_NOISY = "Tbe quick brown f0x jumps ovcr the lazy d0g while tlie rnoon rises be hind the hills. "
_QUESTION = "Explain in a few paragraphs why the sky is blue."


def bench_step(arguments: argparse.Namespace, places: Places) -> int:
    """Measure as asked and print the figures; returns the exit code."""
    if not arguments.parts and not arguments.against:
        return _whole(arguments, places)
    spec = model_asked_for(arguments)
    figures: dict[str, object] = {}
    if arguments.against:
        figures |= asdict(compare_with_torch(spec, arguments.folder or starter_dir(), _tell))
    if arguments.parts:
        figures |= asdict(measure_parts(spec, _tell))
    if arguments.json:
        print(json.dumps(figures))
        return 0
    for name, value in figures.items():
        for key, number in value.items() if isinstance(value, dict) else [(name, value)]:
            print(f"{key:<30} {number:,.6g}")
    return 0


def _tell(stage: str) -> None:
    print(f"{stage} …", file=sys.stderr)


def _whole(arguments: argparse.Namespace, places: Places) -> int:
    """Denoise a number of canvases with a fixed seed in the engine."""
    client = EngineClient(places.logs)
    try:
        spec = model_asked_for(arguments)
        info = client.load(spec, lambda stage, share: None)
        kind = TaskKind.CHAT if info.can_chat else TaskKind.CORRECT
        text = _QUESTION if info.can_chat else _NOISY * arguments.canvases
        parameters = GenerationParameters(canvases=arguments.canvases, seed=1)
        request = RunRequest(kind, (Message(Role.USER, text),), parameters)
        for _ in client.run(request):  # warms caches and kernels; not measured
            pass
        steps: list[float] = []
        canvases: list[int] = []
        memory, rate = info.memory_bytes, 0.0
        for event in client.run(request):
            memory = max(memory, client.memory_bytes)
            if isinstance(event, StepDelta):
                steps.append(event.milliseconds)
            elif isinstance(event, CanvasClosed):
                canvases.append(event.steps)
            elif isinstance(event, Finished):
                if event.error is not None:
                    raise event.error
                rate = event.stats.tokens_per_second
    finally:
        client.close()
    figures = {
        "ms_per_step_median": round(statistics.median(steps), 3),
        "steps_per_canvas": round(statistics.mean(canvases), 2),
        "tokens_per_second": round(rate, 2),
        "peak_memory_bytes": memory,
        "backend": info.backend,
        "device": info.device,
    }
    if arguments.json:
        json.dump(figures, sys.stdout)
        print()
    else:
        print(f"{info.name} on {info.device} ({info.backend}, {info.precision})")
        print(f"{figures['ms_per_step_median']} ms a step (median of {len(steps)})")
        print(f"{figures['steps_per_canvas']} steps a canvas ({len(canvases)} canvases)")
        print(f"{figures['tokens_per_second']} tokens a second, prompt included")
        print(f"{memory / 2**20:,.0f} MiB at most")
    return 0
