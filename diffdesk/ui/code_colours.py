"""Which parts of a piece of code are keywords, strings, numbers, names and comments.

The only door to Pygments, which is imported with the first block of code and not before: it would take a tenth of the
time in which the window must stand. Knows nothing of documents or colours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

MAX_CODE = 50_000
"""Characters: a longer block is left uncoloured."""


class Part(StrEnum):
    """What a span of code is; named as the colours of the theme are."""

    KEYWORD = "code_keyword"
    STRING = "code_string"
    NUMBER = "code_number"
    NAME = "code_name"
    COMMENT = "code_comment"


@dataclass(frozen=True, slots=True)
class Span:
    """`length` characters of one part, from `start` on, counted in Python characters."""

    start: int
    length: int
    part: Part


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer: Lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
    return lexer


@lru_cache(maxsize=1)
def _parts() -> tuple[tuple[_TokenType, Part], ...]:
    from pygments.token import Comment, Keyword, Name, Number, Operator, String

    return (
        (Comment, Part.COMMENT),
        (Keyword, Part.KEYWORD),
        (Operator.Word, Part.KEYWORD),
        (Number, Part.NUMBER),
        (String, Part.STRING),
        (Name.Function, Part.NAME),
        (Name.Class, Part.NAME),
        (Name.Decorator, Part.NAME),
        (Name.Tag, Part.NAME),
        (Name.Attribute, Part.NAME),
        (Name.Builtin, Part.NAME),
    )


def spans_of(code: str, language: str) -> Iterator[Span]:
    """The coloured spans of `code`; none if the language is unknown, or the code is too long to wait for."""
    if not language or len(code) > MAX_CODE:
        return
    from pygments.token import is_token_subtype

    lexer = _lexer(language.strip().lower())
    if lexer is None:
        return
    for start, kind, text in lexer.get_tokens_unprocessed(code):
        part = next((one for family, one in _parts() if is_token_subtype(kind, family)), None)
        if part is not None and text:
            yield Span(start, len(text), part)
