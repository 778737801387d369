"""Builds the measuring sets of ``resources/measure/starter``.

    python packaging/kit.py sets --data DATA --experiment EXPERIMENT [--out FOLDER] [--only text|lines]

DATA is what ``fetch`` filled. EXPERIMENT holds the first experiment's `common.py` and `oldnoise.py`; the results are
committed, so that measuring needs neither. The same data, Pillow and recogniser give the same files.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from starter import measure_lines, measure_passages
from starter import measure_texts as made
from starter.measure_passages import OLD_SPELLING, PROSE, Fresh, Prose
from starter.render import Renderer


def main(arguments: Sequence[str]) -> None:
    """Build and write the sets."""
    parser = argparse.ArgumentParser(prog="kit.py sets", description="Build the measuring sets.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--experiment", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("resources/measure/starter"))
    parser.add_argument("--only", choices=("text", "lines"))
    given = parser.parse_args(arguments)
    data: Path = given.data
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    held = {name: data / "texts" / "held" / f"{name}.txt" for name in (*PROSE, *OLD_SPELLING)}
    candidates = [line for path in held.values() for line in path.read_text(encoding="utf-8").splitlines()]
    fresh = Fresh(sorted((data / "texts" / "train").glob("*.txt")), [*candidates, *made.OTHER_LANGUAGES])
    # Text first: the lines then take passages that it did not.
    passages = measure_passages.build(held, fresh, given.experiment)
    if given.only != "lines":
        measure_passages.write(passages, out)
    if given.only != "text":
        prose = Prose([held[name] for name in PROSE], fresh)
        measure_lines.build(prose, Renderer(data / "fonts" / "held"), out)
