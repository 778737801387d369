"""``diffdesk bench starter``: how well the starter model corrects, and whether that meets its aims."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping

from diffdesk.cli.model import model_asked_for
from diffdesk.cli.progress import show_progress
from diffdesk.paths import Places, resource_dir
from diffdesk.services.starter_figures import LINES, Figures, Judged, judge
from diffdesk.services.starter_measure import CURVE, Manner, StarterBench, open_bench
from diffdesk.services.starter_sets import MeasureSet, SetKind, read_sets

_COLD = " (cold)"
_WIDTH = 22  # of a set's name


def bench_starter(arguments: argparse.Namespace, places: Places) -> int:
    """Measure the named sets and print their figures; returns the exit code."""
    began = time.perf_counter()
    names = [name for name in str(arguments.sets).split(",") if name]
    sets = read_sets(resource_dir() / "measure" / "starter", names, is_quick=arguments.quick)
    bench = open_bench(model_asked_for(arguments))
    try:
        found = _measured(bench, sets, arguments)
        able = bench.denoiser.capabilities
        model = {
            "name": bench.profile.name,
            "parameters": able.parameters,
            "backend": able.backend,
            "device": able.device,
            "precision": able.precision,
            "gate": bench.profile.gate,
            "read_gate": bench.profile.read_gate,
            "line_gate": bench.profile.line_gate,
            "is_gated": not arguments.no_gate,
            "seconds": round(time.perf_counter() - began, 1),
        }
    finally:
        bench.close()
    if arguments.json:
        print(json.dumps({"model": model, "sets": _as_json(found)}, ensure_ascii=False))
    else:
        print(f"{model['name']} on {model['device']} ({model['backend']}, {model['precision']}), {model['seconds']} s")
        print(_table(found))
    return 0


def _measured(bench: StarterBench, sets: list[MeasureSet], arguments: argparse.Namespace) -> dict[str, Figures]:
    manner = Manner(is_gated=not arguments.no_gate, gates=CURVE if arguments.gate_curve else ())
    found: dict[str, Figures] = {}
    for one in sets:
        figures = bench.measure(one, manner, show_progress)
        if figures is not None:
            found[one.name] = figures
        if figures is not None and arguments.cold and one.kind is not SetKind.PICTURE:
            cold = bench.measure(one, Manner(manner.is_gated, True, manner.gates), show_progress)
            if cold is not None:
                found[one.name + _COLD] = cold
    show_progress("", 0, 0)
    return found


def _judged(name: str, figures: Figures) -> list[Judged]:
    return [] if name.endswith(_COLD) else judge(name, figures)


def _as_json(found: Mapping[str, Figures]) -> dict[str, object]:
    return {
        name: {**figures.to_json(), "aims": [one.to_json() for one in _judged(name, figures)]}
        for name, figures in found.items()
    }


def _table(found: Mapping[str, Figures]) -> str:
    head = f"{'error rates in %':<{_WIDTH}} lines   draft corrected no gate unchanged steps ms/line"
    rows = [head]
    for name, one in found.items():
        rates = f"{100 * one.cer_draft:7.2f} {100 * one.cer_corrected:9.2f} {100 * one.cer_no_gate:7.2f}"
        work = f"{100 * one.unchanged_share:8.2f}% {one.steps_median:5g} {one.ms_per_line:7.0f}"
        rows.append(f"{name:<{_WIDTH}} {one.lines:5} {rates} {work}")
        if name.startswith(LINES):
            rows += [_by_draft(what, pair) for what, pair in one.by_draft().items()]
        if one.by_gate:
            curve = "  ".join(f"{gate:g}: {100 * rate:.2f}" for gate, rate in one.by_gate.items())
            rows.append(f"  by gate  {curve}")
        rows += [
            f"  aim: {judged.aim}: {judged.figure}, {'met' if judged.is_met else 'NOT MET'}"
            for judged in _judged(name, one)
        ]
    return "\n".join(rows)


def _by_draft(what: str, pair: tuple[float, float]) -> str:
    return f"  {what.replace('_', ' '):<{_WIDTH + 4}} {100 * pair[0]:7.2f} {100 * pair[1]:9.2f}"
