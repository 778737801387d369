"""The fetched texts by kind, as training and measuring draw from them."""

from __future__ import annotations

from pathlib import Path

from starter.sources import TEXTS

# Stories are what the program corrects; scripture and sermons are plenty, `sources` takes a part of them.
_TWICE = frozenset({"austen", "voyage-out", "swanns-way", "dubliners", "andersen", "alice"})
_KIND = {"shakespeare-folio": "old-spelling", "verse": "prose", "names": "reference"}


def read_texts(data: Path, part: str) -> dict[str, str]:
    """Kind → one long text with a paragraph in each line.

    Args:
        data: the folder that `fetch` filled.
        part: ``train`` or ``held``.

    Raises:
        FileNotFoundError: nothing was fetched yet.
    """
    found: dict[str, list[str]] = {}
    for text in TEXTS:
        path = data / "texts" / part / f"{text.name}.txt"
        if not path.is_file():
            continue
        kind = _KIND.get(text.name, _KIND.get(text.kind, text.kind))
        times = 2 if part == "train" and text.name in _TWICE else 1
        found.setdefault(kind, []).extend([path.read_text(encoding="utf-8").strip()] * times)
    if not found:
        raise FileNotFoundError(f"no texts in {data / 'texts' / part}; run kit.py fetch first")
    return {kind: "\n".join(texts) for kind, texts in found.items()}
