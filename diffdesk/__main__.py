"""The program's entry: the window by default, a subcommand goes to the command line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence

from diffdesk.cli.arguments import build_parser
from diffdesk.core.errors import UserError
from diffdesk.logs import start_log
from diffdesk.paths import Places, choose_places


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with `argv` (default: the process's own); returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = build_parser().parse_args(words)
    try:
        places = choose_places(arguments.data_dir, is_temporary=arguments.temp_profile)
    except UserError as error:
        return _refuse(error, is_window=arguments.command is None)
    start_log(places.logs, "diffdesk", is_verbose=arguments.verbose)
    try:
        if arguments.command is None:
            from diffdesk.ui.app import run_window

            return run_window(places)
        from diffdesk.cli.main import run_command

        return run_command(arguments, places, _window_bench)
    finally:
        _clear(places)


def _refuse(error: UserError, *, is_window: bool) -> int:
    print(error.plain(), file=sys.stderr)
    if is_window:
        from diffdesk.ui.app import show_refusal

        show_refusal(error)
    return 2


def _window_bench(seconds: float, rate: int) -> Mapping[str, object]:
    from diffdesk.ui.bench_start import bench_window

    return bench_window(seconds, rate)


def _clear(places: Places) -> None:
    if places.is_temporary:
        shutil.rmtree(places.data, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
