"""The names of Gemma's control tokens, by which they are known whatever a vocabulary's file says of them.

Some vocabularies list them as ordinary added tokens, some published files as user-defined ones; both would be found in
text. Knows nothing of tokenizers.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"<\|\S{1,40}>|<\S{1,40}\|>|<unused\d+>|<(?:pad|eos|bos|unk|mask)>")
FREE = "<unused"  # how places begin that a vocabulary keeps free, even among its ordinary tokens


def is_control_name(name: str) -> bool:
    """Whether a token of this name controls the model, and so must not be made from text."""
    return _NAME.fullmatch(name) is not None
