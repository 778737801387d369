"""Carries out the subcommands. What needs a window comes in from outside, since this room knows none."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping

from diffdesk.cli.ask import ask
from diffdesk.cli.bench_correct import bench_correct
from diffdesk.cli.bench_starter import bench_starter
from diffdesk.cli.bench_step import bench_step
from diffdesk.cli.convert import convert
from diffdesk.cli.doctor import doctor
from diffdesk.cli.rewrite import rewrite
from diffdesk.core.errors import UserError
from diffdesk.paths import Places

WindowBench = Callable[[float, int], Mapping[str, object]]

_COMMANDS: Mapping[str, Callable[[argparse.Namespace, Places], int]] = {
    "ask": ask,
    "rewrite": rewrite,
    "convert": convert,
    "doctor": doctor,
}


def run_command(arguments: argparse.Namespace, places: Places, window_bench: WindowBench) -> int:
    """Run the subcommand in `arguments`; returns the exit code: 0 fine, 1 failed, 2 can't be done as asked.

    Subcommands may have more of their own.
    """
    try:
        if arguments.command in _COMMANDS:
            return _COMMANDS[arguments.command](arguments, places)
        if arguments.bench == "step":
            return bench_step(arguments, places)
        if arguments.bench == "starter":
            return bench_starter(arguments, places)
        if arguments.bench == "correct":
            return bench_correct(arguments)
        return _print_figures(window_bench(arguments.seconds, arguments.rate), is_json=arguments.json)
    except UserError as error:
        if getattr(arguments, "json", False):
            print(json.dumps({"error": error.to_wire()}, ensure_ascii=False))
        print(error.plain(), file=sys.stderr)
        return 2


def _print_figures(figures: Mapping[str, object], *, is_json: bool) -> int:
    if is_json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:>20}  {value}")
    return 0
