"""Tokenizers to compare with: stand-ins for Gemma's, as tokenizer.json and as GGUF files that our converter made."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

from diffdesk.backends.checkpoint import TOKENIZER_FILE
from diffdesk.backends.gguf.conversion_names import FileKind
from diffdesk.backends.gguf.conversion_tokenizer import tokenizer_metadata
from diffdesk.backends.gguf.layout import OWN_TOKENIZER_KEY
from diffdesk.backends.gguf.writer import Value
from tests.bench import synthetic
from tests.bench.synthetic import NAMED
from tests.unit.backends.gguf_reading import files

WORDS = [
    *("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "it", "was", "best", "of", "times", "and"),
    *("for", "i", "in", "range", "(", "len", ")", "def", "return", "self", "none", "import", "from", "class", "'ll"),
    *("'s", "don't", "naïve", "café", "12", "2026", "3.14", "==", "!=", "->", "<=", "</", "<div>", "</div>", "//"),
    *("...", "!!", "??", "über", "straße", "Ω", "привет", "мир", "漢字", "日本語", "👍", "👩\u200d👧", "🏳️\u200d🌈"),
]
SIZE = 1200
FREE = range(6, 46)


def gemma_like() -> tokenizers.Tokenizer:
    """Gemma's scheme on a small scale: names at their published ids, runs of line ends and blanks, bytes, words that
    merges make in several ways, among them one with a blank inside; no token spells a control token but ``<eos>``.
    """
    names = {index: name for index, name in NAMED.items() if index < SIZE}
    names |= {index: f"<unused{index - 6}>" for index in FREE}
    vocabulary = {name: index for index, name in names.items()}
    free = iter(index for index in range(SIZE) if index not in names)

    def add(token: str) -> None:
        if token not in vocabulary:
            vocabulary[token] = next(free)

    for value in range(256):
        add(f"<0x{value:02X}>")
    runs = [sign * length for sign in "\n▁\t" for length in range(2, 12)]
    words = [*runs, *WORDS, *(f"▁{one}" for one in WORDS), ">▁</", "<eos"]
    for one in sorted({letter for word in words for letter in word if letter not in "Ω字👧"} | set("\n▁\t")):
        add(one)
    merges: list[tuple[str, str]] = []
    for word in words:
        for length in range(2, len(word) + 1):
            for begin in range(len(word) - length + 1):
                part = word[begin : begin + length]
                if begin and length > 3 and part not in WORDS:
                    continue
                halves = [(part[:place], part[place:]) for place in range(1, length)]
                made = [(left, right) for left, right in halves if left in vocabulary and right in vocabulary]
                if made:
                    add(part)
                    merges += [one for one in made if one not in merges]
    merges.append(("<eos", ">"))
    model = models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    made_of = tokenizers.Tokenizer(model)
    made_of.normalizer = normalizers.Replace(" ", "▁")
    made_of.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made_of.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    for index, name in names.items():
        if index not in FREE:  # which Gemma's file lists among its ordinary tokens
            made_of.add_special_tokens([tokenizers.AddedToken(name, special=True, normalized=False)])
    return made_of


def metadata(path: Path, folder: Path, vocab_size: int, *, is_large: bool) -> dict[str, Value]:
    """What our converter makes of a tokenizer.json; large vocabularies go without it, whatever their size."""
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / TOKENIZER_FILE)
    made = tokenizer_metadata(folder, {}, vocab_size)
    if is_large:
        made.pop(OWN_TOKENIZER_KEY, None)
    return made


def model_file(path: Path, tokens: dict[str, Value], vocab_size: int) -> Path:
    """A small model's file with this vocabulary."""
    architecture = replace(files.SMALL, vocab_size=vocab_size)
    plain = synthetic.metadata(architecture, FileKind.Q8_0, files.WORDS)
    keys = {key: value for key, value in plain.items() if not key.startswith("tokenizer.")} | tokens
    synthetic.write_tensors(path, keys, synthetic.plans(architecture, FileKind.Q8_0))
    return path
