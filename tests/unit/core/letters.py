"""A vocabulary that runs for real without a model: one token for each letter, a few of several, and special ones."""

from __future__ import annotations

from collections.abc import Sequence

SPECIALS = (
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<|turn>",
    "<turn|>",
    "<|channel>",
    "<channel|>",
    "<|think|>",
    "<|image>",
    "<|image|>",
    "<image|>",
    "<|tool_call>",
    "<tool_call|>",
    "<|tool_response>",
    "<tool_response|>",
)
WORDS = ("thought", "though", "th", "\n\n", "\n \n", "\nOh", "user\n")
LETTERS = tuple("\n abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?-'<>|/_")


class LetterTokenizer:
    """Longest piece first. Implements `diffdesk.core.denoiser.Tokenizer`; `specials` may leave some out."""

    def __init__(self, specials: Sequence[str] = SPECIALS, words: Sequence[str] = WORDS) -> None:
        self._pieces = (*specials, *words, *LETTERS)
        self._specials = {name: number for number, name in enumerate(specials)}
        self._text_ids = {piece: number for number, piece in enumerate(self._pieces) if number >= len(specials)}
        self._longest = max(len(piece) for piece in self._text_ids)

    @property
    def vocab_size(self) -> int:
        return len(self._pieces)

    @property
    def unknown_id(self) -> int | None:
        return self._specials.get("<unk>")

    def special_id(self, name: str) -> int | None:
        return self._specials.get(name)

    def encode(self, text: str) -> list[int]:
        ids, start = [], 0
        while start < len(text):
            size = min(self._longest, len(text) - start)
            while size > 1 and text[start : start + size] not in self._text_ids:
                size -= 1
            ids.append(self._text_ids.get(text[start : start + size], self.unknown_id or 0))
            start += size
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self._pieces[one] for one in ids if one >= len(self._specials))

    def pieces(self, ids: Sequence[int]) -> tuple[str, ...]:
        return tuple(self._pieces[one] for one in ids)

    def ids(self, text: str) -> list[int]:
        """Ids of a text in which special tokens are written out; for tests only."""
        found, rest = [], text
        while rest:
            name = next((one for one in self._specials if rest.startswith(one)), None)
            if name is not None:
                found.append(self._specials[name])
                rest = rest[len(name) :]
                continue
            stop = min((at for one in self._specials if (at := rest.find(one)) >= 0), default=len(rest))
            found += self.encode(rest[:stop])
            rest = rest[stop:]
        return found
