"""A model's tokenizer.json behind the `Tokenizer` contract, without transformers.

Text from people and from files never becomes a control token, whatever it contains: control tokens are matched in no
text and can only be asked for by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tokenizers

from diffdesk.backends.control_tokens import FREE, is_control_name
from diffdesk.core.errors import CheckpointError


class FastTokenizer:
    """Text to tokens and back, for a model with `vocab_size` token ids.

    The file's vocabulary may be smaller than the model's: ids beyond it have no text.
    """

    def __init__(self, path: Path, vocab_size: int) -> None:
        try:
            self._inner = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise CheckpointError(
                "The tokenizer is broken", f"{path.name} can't be read: {error}.", "Download the folder again."
            ) from error
        self._inner.no_truncation()
        self._inner.no_padding()
        self._vocab_size = vocab_size
        self._control = self._mark_control_tokens()
        largest = max(self._inner.get_vocab(with_added_tokens=True).values(), default=-1)
        if largest >= vocab_size:
            raise CheckpointError(
                "The tokenizer belongs to another model",
                f"It knows token {largest:,}, but the model has only {vocab_size:,}.",
                "Download the folder again.",
            )
        self._pieces: dict[int, str] = {}
        self._anchor = self._plain_id("a")

    def _mark_control_tokens(self) -> dict[int, str]:
        """Make every control token special, so that it is not matched in text; their names by id."""
        added = self._inner.get_added_tokens_decoder()
        control = {i: one.content for i, one in added.items() if one.special or is_control_name(one.content)}
        # Places that a vocabulary keeps free may stand among its ordinary tokens.
        vocabulary = self._inner.get_vocab()
        control |= {i: name for name, i in vocabulary.items() if name.startswith(FREE) and is_control_name(name)}
        self._inner.add_special_tokens(
            [tokenizers.AddedToken(name, special=True, normalized=False) for name in control.values()]
        )
        self._inner.encode_special_tokens = True
        return control

    def _plain_id(self, text: str) -> int | None:
        ids = self._inner.encode(text, add_special_tokens=False).ids
        return ids[-1] if ids and ids[-1] not in self._control else None

    @property
    def vocab_size(self) -> int:
        """Number of token ids of the model."""
        return self._vocab_size

    @property
    def unknown_id(self) -> int | None:
        """The id of ``<unk>``, if there is one."""
        return self.special_id("<unk>")

    def special_id(self, name: str) -> int | None:
        """The id of the control token `name`; None if there is none."""
        found = self._inner.token_to_id(name)
        return found if found is not None and (found in self._control or is_control_name(name)) else None

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without begin or end tokens and without any control token but ``<unk>``."""
        ids = self._inner.encode(text, add_special_tokens=False).ids
        if self._holds_control(ids):
            # A vocabulary that makes a control token from its letters: letter by letter there is no such token.
            ids = [i for letter in text for i in self._inner.encode(letter, add_special_tokens=False).ids]
        return [i for i in ids if i == self.unknown_id or i not in self._control]

    def _holds_control(self, ids: Sequence[int]) -> bool:
        unknown = self.unknown_id
        return any(i in self._control and i != unknown for i in ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; control tokens are left out."""
        kept = [i for i in ids if i not in self._control and 0 <= i < self._vocab_size]
        return self._inner.decode(kept, skip_special_tokens=False)

    def pieces(self, ids: Sequence[int]) -> tuple[str, ...]:
        """The text of each id by itself, control tokens by their name, half a character as U+FFFD."""
        known = self._pieces
        for i in ids:
            if i not in known:
                known[i] = self._piece(i)
        return tuple(known[i] for i in ids)

    def _piece(self, token: int) -> str:
        if token in self._control:
            return self._control[token]
        if self._anchor is None:
            return self._inner.decode([token], skip_special_tokens=False)
        # After another token: at the beginning of a text some decoders take a token's blank away.
        before = self._inner.decode([self._anchor], skip_special_tokens=False)
        return self._inner.decode([self._anchor, token], skip_special_tokens=False).removeprefix(before)
