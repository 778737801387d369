"""The words and options of ``diffdesk rewrite``, and nothing of what they do."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

_ABOUT = """\
Rewrites the texts of a column, each row by itself, and writes the table with a column of new texts added. A run that
was stopped goes on where it was when the same command is given again.

Exit codes: 0 all rows are done, 3 some rows have errors (told on the error stream and with --json), 1 the job failed
on the way, 2 it can't be done as asked, 130 it was stopped.
"""


def add_rewrite(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], add_model: Callable[[argparse.ArgumentParser], None]
) -> None:
    """Add the subcommand to `commands`; `add_model` adds what says which model is to be used."""
    rewrite = commands.add_parser("rewrite", help="rewrite a column of a table, row by row", description=_ABOUT)
    rewrite.formatter_class = argparse.RawDescriptionHelpFormatter
    rewrite.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="CSV, TSV, JSON lines, .xlsx, or a text file; - reads lines from the standard input and prints lines",
    )
    rewrite.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="C",
        help="name or number of a column; may be repeated; not needed where there is one column only",
    )
    what = rewrite.add_mutually_exclusive_group()
    what.add_argument("--instruction", metavar="TEXT", help="what to do with each text, in your own words")
    what.add_argument("--preset", metavar="NAME", help="a built-in instruction; see --list-presets")
    rewrite.add_argument("--language", default="", metavar="NAME", help="of the preset translate: into which language")
    rewrite.add_argument("--list-presets", action="store_true", help="print the built-in instructions")
    rewrite.add_argument("--out", type=Path, metavar="FILE", help="default: NAME.rewritten.EXT beside the file")
    rewrite.add_argument("--force", action="store_true", help="replace the output if it is there")
    rewrite.add_argument(
        "--as",
        action="append",
        default=[],
        dest="names",
        metavar="NAME",
        help="name of the new column, once for each --column (default: C (rewritten))",
    )
    rewrite.add_argument("--no-header", action="store_true", help="the first row is no header")
    rewrite.add_argument("--sheet", default="", metavar="NAME", help="of a workbook (default: the first)")
    rewrite.add_argument("--steps", type=int, help="most denoising steps a canvas")
    rewrite.add_argument("--seed", type=int, help="makes the new texts repeatable")
    rewrite.add_argument("--json", action="store_true", help="print one JSON object at the end")
    add_model(rewrite)
