"""The words and options of ``diffdesk correct``, and nothing of what they do."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from diffdesk.documents.exports.export_page import ExportKind
from diffdesk.documents.recogniser_names import RecogniserName

_ABOUT = """\
Reads the text of images and PDF pages, corrects it, and writes it out, one file for each document. Originals are
never changed.

Exit codes: 0 all pages are done, 3 some files or pages have errors (told on the error stream and with --json), 1 the
job failed on the way, 2 it can't be done as asked, 130 it was stopped.
"""


def add_correct(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], add_model: Callable[[argparse.ArgumentParser], None]
) -> None:
    """Add the subcommand to `commands`; `add_model` adds what says which model is to be used."""
    correct = commands.add_parser("correct", help="images and PDF files as corrected text", description=_ABOUT)
    correct.formatter_class = argparse.RawDescriptionHelpFormatter
    correct.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="images, PDF files, and folders with them, to any depth"
    )
    correct.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: beside each document)")
    correct.add_argument(
        "--format",
        type=_kinds,
        default=(ExportKind.TXT,),
        metavar="A,B",
        help=f"one or more of {', '.join(ExportKind)} (default: txt); pdf is searchable, csv lists the changes",
    )
    correct.add_argument(
        "--accept",
        type=_certainty,
        metavar="CERTAINTY",
        help="take every change that the model is so sure of, 0 to 1, and no other (default: as its guard decides)",
    )
    correct.add_argument("--reflow", action="store_true", help="join the lines of a paragraph")
    correct.add_argument("--join-hyphens", action="store_true", help="join words divided at the end of a line")
    correct.add_argument("--force", action="store_true", help="replace files that are there")
    correct.add_argument(
        "--recogniser",
        type=RecogniserName,
        choices=tuple(RecogniserName),
        default=RecogniserName.RAPIDOCR,
        help="what reads the pages; tesseract has to be installed (default: rapidocr, which comes with the program)",
    )
    correct.add_argument("--language", default="", metavar="LANG", help="of tesseract: eng, deu, eng+deu …")
    correct.add_argument("--steps", type=int, help="most denoising steps a canvas")
    correct.add_argument("--seed", type=int, help="makes the result repeatable")
    correct.add_argument("--json", action="store_true", help="print one JSON object at the end")
    add_model(correct)


def _kinds(text: str) -> tuple[ExportKind, ...]:
    try:
        return tuple(dict.fromkeys(ExportKind(one.strip().lower()) for one in text.split(",")))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"choose from {', '.join(ExportKind)}") from error


def _certainty(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("a number from 0 to 1")
    return value
