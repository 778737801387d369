"""Text to tokens and back with the vocabulary of a GGUF file, without any library.

Does what `tokenizers` does with the same vocabulary, token for token. Text from people and from files never becomes a
control token, whatever it contains. Byte pair encoding by ranks as in `tokenizers` 0.23 (`models/bpe/word.rs`).
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping, Sequence

from diffdesk.backends.control_tokens import is_control_name
from diffdesk.backends.gguf.model_file import GgufFacts
from diffdesk.backends.gguf.vocabulary import Vocabulary, read_vocabulary

_BYTE = re.compile("<0x([0-9A-Fa-f]{2})>")
_HALF = "\N{REPLACEMENT CHARACTER}"  # stands for bytes that are no whole character
_LONGEST_KEPT, _MOST_KEPT = 32, 1 << 16  # words whose tokens are remembered: characters of one, number of all
_MOST_NEIGHBOURS = 256


def load_tokenizer(facts: GgufFacts) -> GgufTokenizer:
    """The tokenizer of a file. Raises `CheckpointError` where its vocabulary is broken or of an unknown kind."""
    return GgufTokenizer(read_vocabulary(facts.metadata, facts.vocab_size))


class GgufTokenizer:
    """The `Tokenizer` of a vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._of = vocabulary
        self._control_ids = {name: index for index, name in vocabulary.control.items()}
        self._bytes = _bytes(vocabulary)
        # Where names of control tokens stand in a text, no other token is looked for inside of them.
        self._early = _Finder(
            {**dict.fromkeys(self._control_ids, None), **vocabulary.early} if vocabulary.early else {}
        )
        self._late = _Finder(vocabulary.late)
        self._border = _border(vocabulary)
        self._words: dict[str, tuple[int, ...]] = {}
        self._pieces: dict[int, str] = {}

    @property
    def vocab_size(self) -> int:
        return len(self._of.tokens)

    @property
    def unknown_id(self) -> int | None:
        """The id of ``<unk>``, if there is one."""
        return self.special_id("<unk>")

    def special_id(self, name: str) -> int | None:
        """The id of the control token `name`; None if there is none."""
        found = self._control_ids.get(name)
        return self._of.ids.get(name) if found is None and is_control_name(name) else found

    # --- to tokens --------------------------------------------------------------------------------

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without begin or end tokens and without any control token but ``<unk>``."""
        unknown, control = self.unknown_id, self._of.control
        ids = self._encoded(text)
        if any(one in control and one != unknown for one in ids):
            # A vocabulary that makes a control token from its letters: letter by letter there is no such token.
            ids = [one for letter in text for one in self._encoded(letter)]
        return [one for one in ids if one == unknown or one not in control]

    def _encoded(self, text: str) -> list[int]:
        ids: list[int] = []
        blank = self._of.blank
        for part in self._early.split(text):
            if isinstance(part, int):
                ids.append(part)
                continue
            for piece in self._late.split(part.replace(" ", blank) if blank else part):
                if isinstance(piece, int):
                    ids.append(piece)
                else:
                    for word in self._border.split(piece) if self._border else (piece,):
                        ids += self._word(word)
        return ids

    def _word(self, word: str) -> tuple[int, ...]:
        """Tokens of a part of a text over whose borders no merge reaches."""
        found = self._words.get(word)
        if found is None:
            found = tuple(self._merged(self._spelled(word)))
            if len(word) <= _LONGEST_KEPT:
                if len(self._words) >= _MOST_KEPT:
                    self._words.clear()
                self._words[word] = found
        return found

    def _spelled(self, word: str) -> list[str | None]:
        """Characters, bytes of those that are no tokens, None for what nothing spells."""
        ids, found = self._of.ids, list[str | None]()
        for letter in word:
            if letter in ids:
                found.append(letter)
                continue
            raw = [f"<0x{one:02X}>" for one in letter.encode("utf-8", "replace")] if self._of.has_bytes else []
            if raw and all(one in ids for one in raw):
                found += raw
            elif self._of.unknown is not None and not (self._of.fuses_unknown and found and found[-1] is None):
                found.append(None)
        return found

    def _merged(self, parts: list[str | None]) -> Iterator[int]:
        """Merge neighbours, lowest rank first, of equal ranks the leftmost; then ids."""
        ids, merges, count = self._of.ids, self._of.merges, len(parts)
        after, before = list(range(1, count + 1)), list(range(-1, count - 1))
        is_gone = bytearray(count)
        queue: list[tuple[int, int, str]] = []

        def offer(left: int) -> None:
            """Put a pair of neighbours into the queue if it can be merged."""
            one, other = parts[left], parts[after[left]] if after[left] < count else None
            if one is not None and other is not None:
                rank = merges.get(f"{one} {other}")
                if rank is not None and one + other in ids:
                    heapq.heappush(queue, (rank, left, one + other))

        for left in range(count if merges else 0):
            offer(left)
        while queue:
            _, left, both = heapq.heappop(queue)
            right = after[left]
            if is_gone[left] or right >= count or f"{parts[left]}{parts[right]}" != both:
                continue  # one of the two has been merged with another since
            parts[left] = both
            is_gone[right] = 1
            after[left] = after[right]
            if after[left] < count:
                before[after[left]] = left
            if before[left] >= 0:
                offer(before[left])
            offer(left)
        for index, part in enumerate(parts):
            if not is_gone[index]:
                found = self._of.unknown if part is None else ids[part]
                if found is not None:
                    yield found

    # --- and back ---------------------------------------------------------------------------------

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; control tokens are left out."""
        texts: list[str] = []
        waiting = bytearray()
        for one in ids:
            if one in self._of.control or not 0 <= one < self.vocab_size or self._of.tokens[one] is None:
                continue
            if one in self._bytes:
                waiting.append(self._bytes[one])
                continue
            texts.append(_characters(waiting))
            waiting.clear()
            texts.append(self._text(one))
        texts.append(_characters(waiting))
        return "".join(texts)

    def pieces(self, ids: Sequence[int]) -> tuple[str, ...]:
        """The text of each id by itself, control tokens by their name, half a character as U+FFFD."""
        known = self._pieces
        for one in ids:
            if one not in known:
                known[one] = self._of.control.get(one) or self.decode([one])
        return tuple(known[one] for one in ids)

    def _text(self, index: int) -> str:
        text = self._of.tokens[index] or ""
        return text.replace(self._of.blank, " ") if self._of.blank else text


def _bytes(vocabulary: Vocabulary) -> dict[int, int]:
    """The byte that each token like ``<0xE2>`` stands for, by id."""
    if not vocabulary.has_bytes:
        return {}
    named = ((index, _BYTE.fullmatch(one)) for index, one in enumerate(vocabulary.tokens) if one and len(one) == 6)
    return {index: int(one[1], 16) for index, one in named if one}


def _characters(raw: bytes | bytearray) -> str:
    """The text of a run of bytes; where it is no text as a whole, a mark for each, as in `tokenizers`."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _HALF * len(raw)


def _border(vocabulary: Vocabulary) -> re.Pattern[str] | None:
    """Where a text may be cut so that its parts can be merged by themselves: before a blank that no token has inside.

    In Gemma's vocabulary that is before every word, save after ``>``, for the sake of ``>▁</``.
    """
    blank = re.escape(vocabulary.blank)
    if not blank or not vocabulary.merges:
        return None
    inside = re.compile(f"([^{blank}])(?={blank})")
    neighbours = {one for token in vocabulary.ids for one in inside.findall(token)}
    if len(neighbours) > _MOST_NEIGHBOURS:
        return None
    return re.compile(f"(?<![{blank}{re.escape(''.join(sorted(neighbours)))}])(?={blank})", re.DOTALL)


class _Finder:
    """Finds tokens in a text: the leftmost first, of several at a place the longest.

    Args:
        tokens: their ids; None for what is passed over as a whole.
    """

    def __init__(self, tokens: Mapping[str, int | None]) -> None:
        self._tokens = {one: index for one, index in tokens.items() if one}
        self._lengths: dict[str, list[int]] = {}
        for first, length in sorted({(one[0], len(one)) for one in self._tokens}, reverse=True):
            self._lengths.setdefault(first, []).append(length)
        firsts = re.escape("".join(self._lengths))
        self._first = re.compile(f"[{firsts}]") if firsts else None

    def split(self, text: str) -> Iterator[str | int]:
        """Ids of tokens that are found, and the text between them."""
        begin = place = 0
        while self._first is not None and (hit := self._first.search(text, place)):
            place = hit.start()
            tried = (text[place : place + one] for one in self._lengths[hit[0]])
            found = next((one for one in tried if one in self._tokens), "")
            index = self._tokens.get(found)
            if index is not None:
                if begin < place:
                    yield text[begin:place]
                yield index
                begin = place + len(found)
            place += len(found) or 1
        if begin < len(text):
            yield text[begin:]
