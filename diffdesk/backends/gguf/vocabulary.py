"""The vocabulary in a GGUF file and the rules by which text is cut into its tokens.

Published files list tokens, their kinds and merges; the rules are those of Gemma: blanks stand as ▁, merges run over
the whole text, and what no token spells falls back to bytes. Files of our own with a small vocabulary carry the text
of their tokenizer.json, which says its rules itself. What is not known here is refused, never read otherwise than it
is meant. Knows nothing of how the rules are applied.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diffdesk.backends.control_tokens import FREE, is_control_name
from diffdesk.backends.gguf.conversion_tokenizer import CONTROL, UNKNOWN, UNUSED, USER_DEFINED
from diffdesk.backends.gguf.faults import broken_description, shown
from diffdesk.backends.gguf.hyperparameters import Description
from diffdesk.backends.gguf.layout import OWN_TOKENIZER_KEY
from diffdesk.backends.gguf.reader import Metadata, StoredArray
from diffdesk.backends.gguf.tokenizer_rules import GEMMA_RULES, read_rules, unknown_rules
from diffdesk.core.errors import CheckpointError

TOKENS_KEY, KINDS_KEY, MERGES_KEY = (f"tokenizer.ggml.{one}" for one in ("tokens", "token_type", "merges"))
MODEL_KEY, MODEL = "tokenizer.ggml.model", "gemma4"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens and rules.

    Attributes:
        tokens: the text of each id; None where an id has none.
        ids: of the tokens that text is cut into.
        control: names of the control tokens, by id.
        early: tokens that are found in text before anything else is done with it.
        late: tokens that are found in what is left, when blanks have been replaced.
        merges: "LEFT RIGHT" to its rank; lower ranks go first.
        unknown: what stands for a character that nothing spells; None to leave it out.
        fuses_unknown: several of them in a row become one.
        blank: what stands for a blank in tokens; empty where blanks are themselves.
        has_bytes: such a character is spelled by tokens for its bytes, like ``<0xE2>``.
    """

    tokens: Sequence[str | None]
    ids: Mapping[str, int]
    control: Mapping[int, str]
    early: Mapping[str, int]
    late: Mapping[str, int]
    merges: Mapping[str, int]
    unknown: int | None
    fuses_unknown: bool
    blank: str
    has_bytes: bool


def check_vocabulary(metadata: Metadata, vocab_size: int) -> None:
    """Raise `CheckpointError` where a file has no vocabulary for a model of `vocab_size` tokens, or another kind of it.

    Looks at no token.
    """
    said = Description(metadata)
    tokens = _array(metadata, TOKENS_KEY)
    if tokens is None:
        raise CheckpointError(
            "The tokenizer is missing", "The file lists no tokens.", "Download it again, or choose another one."
        )
    if not tokens.is_text or tokens.count != vocab_size:
        raise broken_description(f"{TOKENS_KEY} lists {tokens.count:,} tokens, the model has {vocab_size:,}")
    kinds = _array(metadata, KINDS_KEY)
    if kinds is not None and (kinds.is_text or kinds.count != vocab_size):
        raise broken_description(f"{KINDS_KEY} should say of {vocab_size:,} tokens what they are")
    if said.text(OWN_TOKENIZER_KEY):
        return
    model = said.text(MODEL_KEY)
    if model != MODEL:
        raise unknown_rules(f"is of the kind {shown(model, 40) or 'unnamed'} instead of {MODEL}")
    merges = _array(metadata, MERGES_KEY)
    if merges is None or not merges.is_text:
        raise broken_description(f"{MERGES_KEY} is missing")


def read_vocabulary(metadata: Metadata, vocab_size: int) -> Vocabulary:
    """The vocabulary of a file that `check_vocabulary` has passed; raises `CheckpointError` where it is broken."""
    own = Description(metadata).text(OWN_TOKENIZER_KEY)
    return _from_json(own, vocab_size) if own else _from_lists(metadata, vocab_size)


def _array(metadata: Metadata, key: str) -> StoredArray | None:
    value = metadata.get(key)
    if value is not None and not isinstance(value, StoredArray):
        raise broken_description(f"{key} should be a list")
    return value


# --- as published files have it -------------------------------------------------------------------


def _from_lists(metadata: Metadata, vocab_size: int) -> Vocabulary:
    """Tokens and merges from the file's lists, with Gemma's rules.

    A token is a control token by its kind or by its name: published files list ``<|channel>`` as user-defined and
    ``<unused0>`` as ordinary text.
    """
    tokens_array, kinds_array, merges_array = (_array(metadata, key) for key in (TOKENS_KEY, KINDS_KEY, MERGES_KEY))
    if tokens_array is None or merges_array is None:
        raise broken_description(f"{TOKENS_KEY} or {MERGES_KEY} is missing")
    tokens = tokens_array.strings()
    kinds = kinds_array.numbers().tolist() if kinds_array is not None else [0] * vocab_size
    ids = {token: index for index, token in enumerate(tokens)}
    if len(ids) != len(tokens):
        raise broken_description(f"{TOKENS_KEY} lists a token twice")
    control = {
        index: token
        for index, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in (CONTROL, UNKNOWN) or (token.startswith("<") and is_control_name(token))
    }
    texts: list[str | None] = list(tokens)
    plain: dict[str, int] = {}
    for index, kind in enumerate(kinds):
        if index in control:
            continue
        if kind == UNUSED:
            texts[index] = None
        elif kind == USER_DEFINED and tokens[index]:
            plain[tokens[index]] = index
    merges = merges_array.strings()
    return Vocabulary(
        tokens=texts,
        ids=ids,
        control=control,
        early=plain,
        late={},
        merges=dict(zip(reversed(merges), reversed(range(len(merges))), strict=True)),
        unknown=ids.get("<unk>"),
        fuses_unknown=GEMMA_RULES.fuses_unknown,
        blank=GEMMA_RULES.blank,
        has_bytes=GEMMA_RULES.has_bytes,
    )


# --- as tokenizer.json has it ---------------------------------------------------------------------


def _from_json(text: str, vocab_size: int) -> Vocabulary:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise broken_description(f"{OWN_TOKENIZER_KEY} is no valid JSON: {error}") from error
    model = data.get("model") if isinstance(data, dict) else None
    if not isinstance(model, dict):
        raise broken_description(f"{OWN_TOKENIZER_KEY} describes no tokenizer")
    rules = read_rules(data, model)
    blank = rules.blank
    ids = _ids(model.get("vocab"), vocab_size)
    tokens: list[str | None] = [None] * vocab_size
    for token, index in ids.items():
        tokens[index] = token
    control = {index: name for name, index in ids.items() if name.startswith(FREE) and is_control_name(name)}
    early: dict[str, int] = {}
    late: dict[str, int] = {}
    for name, index, is_special, is_late in _added(data, ids, vocab_size):
        tokens[index] = name
        if is_special or is_control_name(name):
            control[index] = name
        elif is_late:
            late[name.replace(" ", blank) if blank else name] = index
        else:
            early[name] = index
    unknown = model.get("unk_token")
    return Vocabulary(
        tokens=tokens,
        ids=ids,
        control=control,
        early=early,
        late=late,
        merges=_merges(model.get("merges"), blank),
        unknown=ids.get(unknown) if isinstance(unknown, str) else None,
        fuses_unknown=rules.fuses_unknown,
        blank=blank,
        has_bytes=rules.has_bytes,
    )


def _ids(vocabulary: object, vocab_size: int) -> dict[str, int]:
    if not isinstance(vocabulary, dict) or len(set(map(str, vocabulary.values()))) != len(vocabulary):
        raise broken_description(f"{OWN_TOKENIZER_KEY} lists no tokens, or two of the same id")
    return {token: _id(token, index, vocab_size) for token, index in vocabulary.items()}


def _id(token: str, index: object, vocab_size: int) -> int:
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < vocab_size:
        raise broken_description(
            f"{OWN_TOKENIZER_KEY} gives {shown(token, 40)} the id {index!r:.20}, the model has {vocab_size:,} tokens"
        )
    return index


def _added(data: Mapping[str, object], ids: Mapping[str, int], vocab_size: int) -> list[tuple[str, int, bool, bool]]:
    """Name and id of each added token, whether it is special, and whether it is found when blanks are replaced."""
    listed = data.get("added_tokens") or []
    found = []
    for one in listed if isinstance(listed, list) else [None]:
        name = one.get("content") if isinstance(one, dict) else None
        if not isinstance(one, dict) or not isinstance(name, str) or not name:
            raise broken_description(f"{OWN_TOKENIZER_KEY} describes an added token wrongly")
        if any(one.get(key) for key in ("single_word", "lstrip", "rstrip")):
            raise unknown_rules(f"looks at what stands around {shown(name, 40)}")
        index = ids[name] if name in ids else _id(name, one.get("id"), vocab_size)
        found.append((name, index, one.get("special") is True, one.get("normalized") is True))
    return found


def _merges(listed: object, blank: str) -> dict[str, int]:
    made: dict[str, int] = {}
    for rank, one in enumerate(listed if isinstance(listed, list) else []):
        halves = one.split(" ") if isinstance(one, str) else one
        if not isinstance(halves, list) or len(halves) != 2 or not all(isinstance(half, str) for half in halves):
            raise broken_description(f"{OWN_TOKENIZER_KEY} describes a merge wrongly")
        if not any(" " in half for half in halves):
            made[" ".join(halves)] = rank
        elif not blank:
            raise unknown_rules("merges blanks")
    return made
