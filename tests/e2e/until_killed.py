"""The real program in a process of its own, at work until it is killed; tells in lines of JSON what it has shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from diffdesk.paths import choose_places
from diffdesk.ui.app import Program, build_program, make_application


def say(**what: object) -> None:
    """One line for whoever started this."""
    print(json.dumps(what), flush=True)


def run_until_killed(work: Callable[[Program], object]) -> None:
    """Open the program on the profile of the first argument and have it worked with."""
    application = make_application()
    program = build_program(choose_places(Path(sys.argv[1])))
    program.controller.start()
    program.window.show()
    working = work(program)
    application.exec()
    del working
