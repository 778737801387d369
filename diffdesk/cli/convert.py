"""``diffdesk convert``: a checkpoint folder as GGUF files; progress in place on a terminal, else in plain lines."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from diffdesk.backends.gguf.conversion import convert as convert_checkpoint
from diffdesk.paths import Places

_STOPPED = 130


class ProgressPrinter:
    """Tells how far the work is: one line redrawn on a terminal, a line every tenth elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._shown = ""

    def show(self, stage: str, share: float) -> None:
        """Tell the stage, and the share of the work that is done."""
        percent = int(share * 100)
        text = f"{percent:3d} %  {stage}" if self._is_terminal else f"{percent // 10 * 10} %"
        if text == self._shown:
            return
        self._shown = text
        self._stream.write(f"\r\x1b[K{text}" if self._is_terminal else f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take the line off a terminal."""
        if self._is_terminal and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = ""


def convert(arguments: argparse.Namespace, places: Places) -> int:
    """Carry out ``convert``; returns the exit code. Raises `UserError` for what the user can mend."""
    began = time.perf_counter()
    out: Path = arguments.out
    printer = ProgressPrinter(sys.stderr)
    try:
        convert_checkpoint(
            arguments.checkpoint,
            out,
            arguments.type,
            printer.show,
            is_forced=arguments.force,
            mmproj=arguments.mmproj,
            mmproj_kind=arguments.mmproj_type,
        )
    except KeyboardInterrupt:
        printer.clear()
        print("Stopped. Run the same command again to go on.", file=sys.stderr)
        return _STOPPED
    finally:
        printer.clear()
    seconds = time.perf_counter() - began
    files = [_facts(out, arguments.type)]
    if arguments.mmproj is not None:
        files.append(_facts(arguments.mmproj, arguments.mmproj_type))
    if arguments.json:
        data = {**files[0], "seconds": round(seconds, 1)}
        if len(files) > 1:
            data["mmproj"] = files[1]
        print(json.dumps(data, ensure_ascii=False))
    else:
        for path, one in zip((out, arguments.mmproj), files, strict=False):
            print(f"{path}: {one['bytes'] / 1e6:,.1f} MB, {one['type']}, in {seconds:.0f} s")
    return 0


def _facts(path: Path, kind: str) -> dict[str, Any]:
    return {"file": str(path.absolute()), "type": kind, "bytes": path.stat().st_size}
