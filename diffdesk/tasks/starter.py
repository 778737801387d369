"""What a model made for correcting English says to everything else: one friendly sentence of the program's.

The guess of a language is rough on purpose: it must never refuse English, however noisy. Knows nothing of models.
"""

from __future__ import annotations

import re
import unicodedata

CANT_CHAT = (
    "The starter model corrects English text, typed or read from an image; it can't chat. "
    "Open DiffusionGemma from the model menu to ask questions and hold conversations."
)
CANT_LOOK = (
    "The starter model corrects text and lines that the text recogniser has read; it can't look at a whole image. "
    "Open DiffusionGemma from the model menu to ask about images."
)
CANT_LANGUAGE = (
    "The starter model knows English only, so this text is left as it is. "
    "Open DiffusionGemma from the model menu for other languages."
)
CANT_REWRITE = (
    "The starter model can't follow instructions; of the rewriter's presets it does “Correct misread letters”. "
    "Open DiffusionGemma from the model menu for everything else."
)
NO_CHANGES = "Nothing to correct was found."

_WORD = re.compile(r"[^\W\d_]+")
_SMALL_ENGLISH = """
    the of and to in a is that for it as was with be by on not he this are or his from at which but have an had they
    you were their one all we can her has there been if more when will would who so no she my me do
"""
_SMALL_OTHERS = """
    der die und das ist nicht ein eine mit auf den dem des von zu im für sich auch wir ich sie
    le la les et est une dans que qui pour pas sur avec ce au il elle nous vous je
    el los las del por con para como más pero está esta muy
    lo gli che di non per una sono della nel anche più
    de het een van niet dat zijn op te met voor os um uma não com da em
"""
_ENGLISH = frozenset(_SMALL_ENGLISH.split())
_OTHERS = frozenset(_SMALL_OTHERS.split()) - _ENGLISH


def is_english(text: str) -> bool:
    """Whether a text may be English: mostly Latin letters, and not clearly full of another language's small words."""
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return True
    latin = sum("LATIN" in unicodedata.name(character, "") for character in letters)
    if latin * 2 < len(letters):
        return False
    words = [word.lower() for word in _WORD.findall(text)]
    english = sum(word in _ENGLISH for word in words)
    others = sum(word in _OTHERS for word in words)
    return not (others >= 3 and others > 2 * english)
