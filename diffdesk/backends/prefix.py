"""Prompts as local backends keep them: which tokens the KV cache holds, and how much of it the next prompt shares.

An image counts by its contents: the same one in the same place is shared, wholly or not at all. Also the checks of a
prompt that don't depend on a model library. Knows nothing of caches, devices and files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.denoiser import Capabilities, Prompt
from diffdesk.core.errors import PromptError
from diffdesk.core.messages import ImageRef, LinePicture


class ImagePieces(Protocol):
    """An image that was prepared for a model."""

    @property
    def key(self) -> int:
        """Negative, the same for the same contents and preparation only."""

    @property
    def tokens(self) -> int:
        """Soft tokens that it becomes."""


Pieces = TypeVar("Pieces", bound=ImagePieces)


@dataclass(frozen=True, slots=True, eq=False)
class TokenKeys:
    """Tokens, told apart by what they stand for.

    Attributes:
        keys: int64[n], a token id, or a negative number that stands for an image's contents in every place of it.
        begins: int64[n], for a token from the first to the last place of an image the index of that first place,
            other tokens between the places included; for every other token its own index.
    """

    keys: NDArray[np.int64]
    begins: NDArray[np.int64]

    @staticmethod
    def of_text(ids: NDArray[np.int32]) -> TokenKeys:
        """Tokens without images."""
        return TokenKeys(ids.astype(np.int64), np.arange(len(ids)))

    @staticmethod
    def of_prompt(
        ids: NDArray[np.int32], images: Sequence[ImagePieces], places: Sequence[NDArray[np.int64]]
    ) -> TokenKeys:
        """Tokens with images at `places`, see `image_places`."""
        tokens = TokenKeys.of_text(ids)
        for image, at in zip(images, places, strict=True):
            tokens.keys[at] = image.key
            tokens.begins[at[0] : at[-1] + 1] = at[0]
        return tokens

    def __len__(self) -> int:
        return len(self.keys)

    def head(self, length: int) -> TokenKeys:
        """The first `length` tokens."""
        return TokenKeys(self.keys[:length], self.begins[:length])

    def followed_by(self, text: NDArray[np.int32]) -> TokenKeys:
        """These tokens, then others without images."""
        keys = np.concatenate([self.keys, text.astype(np.int64)])
        return TokenKeys(keys, np.concatenate([self.begins, np.arange(len(self), len(keys))]))

    def whole_before(self, at: int) -> int:
        """The last place up to `at` that is not inside an image."""
        return int(self.begins[at]) if at < len(self) else at

    def whole_after(self, at: int) -> int:
        """The first place from `at` on that is not inside an image."""
        while at < len(self) and self.begins[at] != at:
            at += 1
        return at

    def chunk_ends(self, begin: int, chunk: int) -> list[int]:
        """Where to pause while reading from `begin` on, about every `chunk` tokens and never inside an image."""
        ends: list[int] = []
        while begin < len(self):
            begin = self.whole_after(min(begin + chunk, len(self)))
            ends.append(begin)
        return ends


def common_prefix(old: TokenKeys, new: TokenKeys) -> int:
    """How many leading tokens two prompts share.

    An image is shared wholly or not at all, because its tokens may see each other in both directions.
    """
    shortest = min(len(old), len(new))
    differs = np.flatnonzero(old.keys[:shortest] != new.keys[:shortest])
    length = int(differs[0]) if differs.size else shortest
    return min(old.whole_before(length), new.whole_before(length))


def image_places(ids: NDArray[np.int32], images: Sequence[ImagePieces], placeholder: int) -> list[NDArray[np.int64]]:
    """The places of each image in a prompt, told apart by counting; raises `PromptError` if they don't agree."""
    if not images:
        return []
    places = np.flatnonzero(ids == placeholder)
    wanted = sum(one.tokens for one in images)
    if len(places) != wanted:
        raise PromptError(
            "The images don't fit the prompt",
            f"There are {len(places)} places for {wanted} pieces of images.",
            "Remove the images and add them again.",
        )
    return np.split(places, np.cumsum([one.tokens for one in images])[:-1])


def lay_out(
    prompt: Prompt,
    able: Capabilities,
    vocab_size: int,
    placeholder: int,
    prepare: Callable[[ImageRef | LinePicture], Pieces],
) -> tuple[TokenKeys, list[tuple[Pieces, NDArray[np.int64]]]]:
    """A prompt's tokens told apart, and its images prepared, each with its places.

    Raises `PromptError` where the prompt is empty, too long, or doesn't fit its images, and what `prepare` raises.
    """
    require_room(len(prompt.ids), able)
    require_ids(prompt.ids, vocab_size)
    prepared = [prepare(one) for one in prompt.images]
    places = image_places(prompt.ids, prepared, placeholder)
    return TokenKeys.of_prompt(prompt.ids, prepared, places), list(zip(prepared, places, strict=True))


def require_room(tokens: int, able: Capabilities) -> None:
    """Raise `PromptError` where a prompt is empty, or leaves no room for a canvas."""
    if not tokens:
        raise PromptError("There is nothing to send", "The prompt is empty.", "Write something first.")
    if tokens + able.canvas_length > able.context_length:
        raise PromptError(
            "The conversation is too long for this model",
            f"It has {tokens:,} tokens, and the next piece of the answer needs {able.canvas_length:,}; "
            f"the model holds {able.context_length:,}.",
            "Begin a new conversation, or shorten this one.",
        )


def require_ids(ids: NDArray[np.int32], vocab_size: int) -> None:
    """Raise `ValueError` where an id is none of the vocabulary's."""
    if ids.size and (ids.min() < 0 or ids.max() >= vocab_size):
        raise ValueError("a token id outside the vocabulary")


def cant_see(able: Capabilities) -> PromptError:
    """What is said where a prompt holds images that the model can't see."""
    return PromptError(
        "This model can't see images", able.why_no_images, "Remove the images, or choose a model that sees."
    )
