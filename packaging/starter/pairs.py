"""Chooses the two-character tokens: the most frequent pairs of the training texts. Done once for a model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from starter import vocabulary
from starter.corpora import read_texts

_EACH = 3_000_000  # characters looked at of each kind
_KINDS = ("prose", "reference", "manual", "other-language", "old-spelling")


def main(arguments: list[str]) -> None:
    """``kit.py vocabulary --data DIR``"""
    parser = argparse.ArgumentParser(prog="kit.py vocabulary", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    texts = read_texts(parser.parse_args(arguments).data, "train")
    parts = [_spread(texts[kind], _EACH if kind == "prose" else _EACH // 6) for kind in _KINDS if kind in texts]
    chosen = vocabulary.most_frequent_pairs(parts)
    path = Path(__file__).with_name("pairs.json")
    path.write_text(json.dumps(chosen, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(f"{len(chosen)} pairs of characters in {path}")


def _spread(text: str, size: int) -> str:
    """About `size` characters, from all over a text."""
    if len(text) <= size:
        return text
    piece = 10_000
    stride = len(text) * piece // size
    return "\n".join(text[at : at + piece] for at in range(0, len(text) - piece, stride))
