"""The command line's words and options, and nothing of what they do."""

from __future__ import annotations

import argparse
from pathlib import Path

from diffdesk import __version__
from diffdesk.cli.rewrite_arguments import add_rewrite


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``diffdesk``; without a subcommand the window opens."""
    parser = argparse.ArgumentParser(
        prog="diffdesk",
        description="A desktop program for DiffusionGemma. Without a command it opens its window.",
    )
    parser.add_argument("--version", action="version", version=f"DiffDesk {__version__}")
    _add_profile(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_ask(commands)
    add_rewrite(commands, _add_model)
    _add_convert(commands)
    doctor = commands.add_parser("doctor", help="tell versions, hardware, models, and what is missing")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    bench = commands.add_parser("bench", help="measure").add_subparsers(dest="bench", required=True, metavar="WHAT")
    step = bench.add_parser("step", help="milliseconds a denoising step")
    _add_model(step)
    step.add_argument("--canvases", type=int, default=8, help="canvases to denoise (default: 8)")
    step.add_argument("--parts", action="store_true", help="a GGUF file's step against its own matrix products")
    step.add_argument("--against", choices=("torch",), help="a GGUF file against the Transformers backend on the CPU")
    step.add_argument(
        "--folder",
        type=Path,
        metavar="FOLDER",
        help="with --against: what the file was made of (the starter's)",
    )
    step.add_argument("--json", action="store_true", help="print one JSON object")
    _add_bench_starter(bench)
    correct = bench.add_parser("correct", help="how well images of text are read and corrected; for images of your own")
    correct.add_argument(
        "folder", type=Path, metavar="DIR", help="page images with their true text beside them in NAME.gt.txt"
    )
    _add_model(correct)
    correct.add_argument("--by-page", action="store_true", help="figures of each page as well")
    correct.add_argument("--json", action="store_true", help="print one JSON object")
    window = bench.add_parser("window", help="the window's start and its smoothness at 190 drafts a second")
    window.add_argument("--seconds", type=float, default=10.0, help="how long drafts arrive (default: 10)")
    window.add_argument("--rate", type=int, default=190, help="drafts a second (default: 190)")
    window.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, metavar="FOLDER", help="keep everything in FOLDER")
    parser.add_argument("--temp-profile", action="store_true", help="keep everything in a folder deleted at the end")
    parser.add_argument("--verbose", action="store_true", help="write more into the log")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=Path, metavar="MODEL", help="a GGUF file or a checkpoint folder (default: the starter model)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, or gpu (of a folder: cuda) (default: auto)")
    parser.add_argument(
        "--precision",
        default="auto",
        help="of a folder: auto, float32 or bfloat16; of an NVFP4 folder also int8, the lean way (default: auto)",
    )
    parser.add_argument(
        "--context",
        type=int,
        default=0,
        metavar="TOKENS",
        help="of a GGUF file or an NVFP4 folder: room for so many (default: what fits)",
    )
    parser.add_argument(
        "--conditioning",
        type=int,
        default=0,
        metavar="TOKENS",
        help="of a GGUF file: self-conditioning counts the likeliest so many; faster on a processor (default: all)",
    )


def _add_bench_starter(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    starter = commands.add_parser("starter", help="how well the starter model corrects; some minutes on two cores")
    _add_model(starter)
    starter.add_argument("--sets", default="", metavar="A,B", help="only these measuring sets")
    starter.add_argument("--quick", action="store_true", help="a fifth of each set")
    starter.add_argument("--no-gate", action="store_true", help="count every change that the model wants")
    starter.add_argument("--gate-curve", action="store_true", help="error rates at other gates as well")
    starter.add_argument("--cold", action="store_true", help="also begin canvases with noise instead of the draft")
    starter.add_argument("--json", action="store_true", help="print one JSON object")


def _add_convert(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    convert = commands.add_parser("convert", help="turn a checkpoint folder into one GGUF file; goes on if cut off")
    convert.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint folder, bfloat16 or NVFP4")
    convert.add_argument("out", type=Path, metavar="OUT.gguf", help="the file to make")
    convert.add_argument(
        "--type",
        choices=("q8_0", "q4_k_m", "bf16", "f16", "f32"),
        default="q8_0",
        help="number format of the weights (default: q8_0)",
    )
    convert.add_argument(
        "--mmproj", type=Path, metavar="OUT.gguf", help="also make a file of what sees images (left out otherwise)"
    )
    convert.add_argument(
        "--mmproj-type",
        choices=("f16", "bf16", "f32", "q8_0"),
        default="f16",
        help="number format of that file's matrices (default: f16)",
    )
    convert.add_argument("--force", action="store_true", help="replace files that are there")
    convert.add_argument("--json", action="store_true", help="print one JSON object")


def _add_ask(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ask = commands.add_parser("ask", help="ask or correct once, and print the answer")
    ask.add_argument("text", nargs="?", default="", help="what to say; - reads the standard input")
    ask.add_argument(
        "--image", type=Path, action="append", default=[], metavar="FILE", help="an image; may be repeated"
    )
    ask.add_argument("--system", default="", help="system prompt")
    ask.add_argument(
        "--task", choices=("auto", "chat", "correct"), default="auto", help="default: what the model is for"
    )
    ask.add_argument("--thinking", action="store_true", help="let the model think first")
    ask.add_argument("--canvases", type=int, help="room for the answer, in canvases")
    ask.add_argument("--steps", type=int, help="most denoising steps a canvas")
    ask.add_argument("--entropy-bound", type=float, help="nats of joint entropy accepted a step")
    ask.add_argument("--seed", type=int, help="makes the answer repeatable")
    ask.add_argument("--json", action="store_true", help="print one JSON object at the end")
    _add_model(ask)
