r"""Which tokens of a canvas are answer, thought, marker or padding, canvas after canvas.

The model writes ``<|channel>thought\n…<channel|>`` before its answer and ``<|tool_call>…<tool_call|>`` for
tools; an end token ends everything. A canvas may cut any of this in two, so what is open is carried from each
committed canvas to the next, and a live canvas is read on top of that without changing it. Knows nothing of
models or widgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.denoiser import Tokenizer
from diffdesk.core.events import AnswerState
from diffdesk.core.trace import Region
from diffdesk.core.turns import (
    BEGIN,
    CHANNEL_CLOSES,
    CHANNEL_OPENS,
    IMAGE_CLOSES,
    IMAGE_OPENS,
    IMAGE_PLACEHOLDER,
    THINK,
    TURN_CLOSES,
    TURN_OPENS,
)

CHANNEL_NAME = "thought\n"  # follows the opening marker; the only channel that the model was taught

_TOOL_OPENS = ("<|tool_call>", "<|tool_response>", "<|tool>")
_TOOL_CLOSES = ("<tool_call|>", "<tool_response|>", "<tool|>")
_SILENT = (BEGIN, "<eos>", "<pad>", "<mask>", '<|"|>', TURN_OPENS, TURN_CLOSES, THINK)
_MEDIA = (
    IMAGE_OPENS,
    IMAGE_PLACEHOLDER,
    IMAGE_CLOSES,
    "<|audio>",
    "<|audio|>",
    "<audio|>",
    "<|video|>",
)


class Sign(Enum):
    """What a special token means to the parser."""

    END = auto()  # ends the answer
    CHANNEL_OPENS = auto()
    CHANNEL_CLOSES = auto()
    TOOL_OPENS = auto()
    TOOL_CLOSES = auto()
    SILENT = auto()  # means nothing here and is not shown


class _Within(Enum):
    ANSWER = auto()
    NAME = auto()  # of a channel that has just been opened
    THOUGHT = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class _State:
    r"""What is open after the tokens read so far.

    `is_tool` says that a tool's markers are open inside `within`; `name` holds what was read of a channel's
    name, as text and as ids, while it may still become ``thought\n``.
    """

    within: _Within = _Within.ANSWER
    is_tool: bool = False
    name: str = ""
    name_ids: tuple[int, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What one canvas gives on top of a state."""

    state: _State
    regions: list[Region] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)
    thought: list[int] = field(default_factory=list)


class ChannelParser:
    """Sorts committed canvases into answer and thought, and tells the regions of a live one.

    Args:
        signs: what special tokens mean, by id; every other token is text.
        text_of: the text of one token; used only right after a channel opens, to know the channel's name.

    The rules, all of them the same however the tokens are cut into canvases:
        - A channel's name is a marker. What follows the opening without being that name is thought.
        - An opening inside a thought begins another thought; a closing where nothing is open is left out.
        - Everything between a tool's markers is marker, until the tool closes or a channel opens or closes.
        - The first end token is a marker; nothing after it counts, whatever is open.
    """

    def __init__(self, signs: dict[int, Sign], text_of: Callable[[int], str]) -> None:
        self._signs = dict(signs)
        self._text_of = text_of
        self._state = _State()
        self._answer: list[int] = []
        self._thought: list[int] = []

    @classmethod
    def for_tokenizer(cls, tokenizer: Tokenizer, end_ids: Iterable[int]) -> ChannelParser:
        """A parser for a vocabulary; where it has no channel tokens, all is answer until one of `end_ids`."""

        def text_of(token: int) -> str:
            return tokenizer.pieces([token])[0]

        return cls(_signs_of(tokenizer, end_ids), text_of)

    @property
    def answer_ids(self) -> list[int]:
        """The committed tokens of the answer, without markers and end token."""
        return list(self._answer)

    @property
    def thought_ids(self) -> list[int]:
        """The committed tokens of all thoughts, one after another, without markers and channel names."""
        return list(self._thought)

    @property
    def is_in_thought(self) -> bool:
        """Whether a thought is open after the committed canvases; False once the answer has ended."""
        return self._state.within in (_Within.NAME, _Within.THOUGHT)

    @property
    def has_ended(self) -> bool:
        """Whether an end token is committed."""
        return self._state.within is _Within.ENDED

    def regions(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        """The `Region` of each position of a live canvas int32[L] as uint8[L]; nothing is committed by it."""
        return np.asarray(self._read(ids).regions, np.uint8)

    def commit(self, ids: NDArray[np.int32]) -> None:
        """Take in a finished canvas int32[L]."""
        reading = self._read(ids)
        self._state = reading.state
        self._answer += reading.answer
        self._thought += reading.thought

    def _read(self, ids: NDArray[np.int32]) -> _Reading:
        reading = _Reading(self._state)
        for token in ids.tolist():
            sign = self._signs.get(token)
            if reading.state.within is _Within.ENDED:
                reading.regions.append(Region.AFTER_END)
            elif sign is None:
                self._read_text(reading, token)
            else:
                reading.regions.append(Region.MARKER)
                reading.state = _after_sign(reading.state, sign)
        return reading

    def _read_text(self, reading: _Reading, token: int) -> None:
        state = reading.state
        if state.is_tool:
            reading.regions.append(Region.MARKER)
        elif state.within is _Within.ANSWER:
            reading.regions.append(Region.ANSWER)
            reading.answer.append(token)
        elif state.within is _Within.THOUGHT:
            reading.regions.append(Region.THOUGHT)
            reading.thought.append(token)
        else:
            self._read_name(reading, token)

    def _read_name(self, reading: _Reading, token: int) -> None:
        """A text token right after a channel opened: part of its name, or of a thought without one."""
        state = reading.state
        name, ids = state.name + self._text_of(token), (*state.name_ids, token)
        if CHANNEL_NAME.startswith(name):
            is_whole = name == CHANNEL_NAME
            reading.state = _State(_Within.THOUGHT) if is_whole else _State(_Within.NAME, name=name, name_ids=ids)
            reading.regions.append(Region.MARKER)
            return
        reading.state = _State(_Within.THOUGHT)
        if name.startswith(CHANNEL_NAME):  # it goes on: more line ends, or words of the thought
            is_blank = not name[len(CHANNEL_NAME) :].strip()
            reading.regions.append(Region.MARKER if is_blank else Region.THOUGHT)
            reading.thought += [] if is_blank else [token]
            return
        # It was no name after all: those of its tokens that stand in this canvas get their true region.
        here = min(len(state.name_ids), len(reading.regions))
        reading.regions[len(reading.regions) - here :] = [Region.THOUGHT] * (here + 1)
        reading.thought += ids


def answer_state(answer: str, thought: str) -> AnswerState:
    """What became of the answer, from the texts of answer and thought; white space alone is no text."""
    if answer.strip():
        return AnswerState.COMPLETE
    return AnswerState.THOUGHT_ONLY if thought.strip() else AnswerState.EMPTY


def _after_sign(state: _State, sign: Sign) -> _State:
    if sign is Sign.END:
        return _State(_Within.ENDED)
    if sign is Sign.CHANNEL_OPENS:
        return _State(_Within.NAME)
    if sign is Sign.CHANNEL_CLOSES:
        return _State(_Within.ANSWER)
    # Any other sign cuts a channel's name short: what comes next is thought.
    within = _Within.THOUGHT if state.within is _Within.NAME else state.within
    if sign is Sign.SILENT:
        return _State(within, state.is_tool)
    return _State(within, sign is Sign.TOOL_OPENS)


def _signs_of(tokenizer: Tokenizer, end_ids: Iterable[int]) -> dict[int, Sign]:
    named: Sequence[tuple[Sign, Sequence[str]]] = (
        (Sign.SILENT, (*_SILENT, *_MEDIA)),
        (Sign.TOOL_OPENS, _TOOL_OPENS),
        (Sign.TOOL_CLOSES, _TOOL_CLOSES),
        (Sign.CHANNEL_OPENS, (CHANNEL_OPENS,)),
        (Sign.CHANNEL_CLOSES, (CHANNEL_CLOSES,)),
    )
    signs: dict[int, Sign] = {}
    for sign, names in named:
        for name in names:
            found = tokenizer.special_id(name)
            if found is not None:
                signs[found] = sign
    return signs | dict.fromkeys(end_ids, Sign.END)
