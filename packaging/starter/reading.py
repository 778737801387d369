"""The recogniser that the program uses, run over many lines at once: real drafts for rendered lines.

The same network (PP-OCR's recogniser, as it lies in rapidocr's wheel), the same preparation of a line and the same
reckoning of words' edges as in rapidocr 3.10 (`ch_ppocr_rec`, `cal_rec_boxes`), but with torch, so that a GPU reads
thousands of lines a second. Needs onnx, to open the network's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from starter.onnx_graph import Graph

HEIGHT = 48
_LEAST_WIDTH = 320  # rapidocr fills every line up to this
_WIDTH_STEP = 64
_MOST_SPREAD = 1.25  # between the narrowest and the widest line of a batch
_WIDE_GAP = 5  # columns: from here on rapidocr begins a new word without a space
_COLUMNS_AT_ONCE = {"cpu": 1_500, "cuda": 30_000}

Word = tuple[str, float, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the recogniser read in a line.

    Attributes:
        text: the line; empty where nothing was seen.
        words: (characters, left, right) from left to right, in pixels of the image.
        confidence: mean over the characters, 0 to 1; rapidocr drops lines under 0.5.
    """

    text: str
    words: tuple[Word, ...]
    confidence: float


class Recogniser:
    """Reads pictures of single lines.

    Args:
        onnx: rapidocr's PP-OCRv6_rec_small.onnx, or another recogniser of that kind.
        device: as torch names it.
        dtype: in which it computes; by default float16 on a GPU and float32 elsewhere.
    """

    def __init__(self, onnx: Path, device: str = "cpu", dtype: torch.dtype | None = None) -> None:
        kind = torch.device(device).type
        self._graph = Graph(onnx, device, dtype or (torch.float16 if kind == "cuda" else torch.float32))
        self._characters = ["", *self._graph.metadata["character"].splitlines(), " "]
        self._columns_at_once = _COLUMNS_AT_ONCE["cuda" if kind == "cuda" else "cpu"]

    def read(self, images: Sequence[NDArray[np.uint8]]) -> list[Reading]:
        """Each line's text and words.

        Args:
            images: uint8[h, w] each, greys, any size.
        """
        scaled = [at_height(image) for image in images]
        readings: list[Reading] = [Reading("", (), 0.0)] * len(images)
        for width, places in self._batches([one.shape[1] for one in scaled]):
            pictures = np.full((len(places), HEIGHT, width), 128, np.uint8)
            for row, place in enumerate(places):
                pictures[row, :, : scaled[place].shape[1]] = scaled[place]
            widths = torch.tensor([scaled[place].shape[1] for place in places])
            classes, confidences = self._columns(torch.from_numpy(pictures), widths)
            for place, row, sure in zip(places, classes, confidences, strict=True):
                height, wide = images[place].shape
                # rapidocr reckons with the line's own proportions, unrounded.
                column = wide / (len(row) * HEIGHT * wide / height / width)
                readings[place] = self._reading(row, sure, column, wide)
        return readings

    def _batches(self, widths: list[int]) -> Iterator[tuple[int, list[int]]]:
        """Lines of similar width together: the padded width and which lines."""
        batch: list[int] = []
        least = padded = 0
        for place in sorted(range(len(widths)), key=widths.__getitem__):
            width = max(-(-widths[place] // _WIDTH_STEP) * _WIDTH_STEP, _LEAST_WIDTH)
            if batch and (width > _MOST_SPREAD * least or (len(batch) + 1) * width > 8 * self._columns_at_once):
                yield padded, batch
                batch = []
            least = least if batch else width
            padded = width
            batch.append(place)
        if batch:
            yield padded, batch

    @torch.inference_mode()
    def _columns(self, pictures: Tensor, widths: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """int64[batch, columns], float32[batch, columns]: the likeliest class of each column and its probability."""
        device = self._graph.device
        greys = pictures.to(device).to(torch.float32) / 127.5 - 1
        is_padding = torch.arange(pictures.shape[2], device=device)[None] >= widths.to(device)[:, None]
        greys = greys.masked_fill(is_padding[:, None], 0.0)
        logits = self._graph(greys[:, None].expand(-1, 3, -1, -1))
        best, classes = logits.max(2)
        sure = (best - logits.logsumexp(2)).exp().to(torch.float32)
        return classes.cpu().numpy(), sure.cpu().numpy()

    def _reading(
        self, classes: NDArray[np.int64], confidences: NDArray[np.float32], column: float, wide: int
    ) -> Reading:
        """Greedy CTC: repeated classes are one, class 0 is none. `column` is a column's width in the image."""
        is_new = np.append(True, classes[1:] != classes[:-1]) & (classes != 0)
        places = np.flatnonzero(is_new)
        if not len(places):
            return Reading("", (), 0.0)
        characters = [self._characters[index] for index in classes[places].tolist()]
        words = _words(characters, places.tolist())
        return Reading(
            "".join(characters), _edges(words, column, wide, len(characters)), float(confidences[places].mean())
        )


def at_height(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8[48, w]: a line scaled as rapidocr does it, bilinear and without smoothing."""
    height, width = image.shape
    if height == HEIGHT:
        return image
    wide = max(-(-HEIGHT * width // height), 1)
    box = (0, 0, width, height)
    scaled = Image.fromarray(image).transform((wide, HEIGHT), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR)
    return np.asarray(scaled)


def _words(characters: list[str], places: list[int]) -> list[tuple[str, list[int]]]:
    """Characters with the columns in which they begin, parted at spaces, wide gaps and where the script changes."""
    words: list[tuple[str, list[int]]] = []
    is_open, script = False, None
    for index, (character, place) in enumerate(zip(characters, places, strict=True)):
        if character.isspace():
            is_open = False
            continue
        gap = place - places[index - 1] if index else 0
        is_cjk = _is_cjk(character)
        if not is_open or is_cjk != script or gap > _WIDE_GAP:
            words.append(("", []))
        script, is_open = is_cjk, True
        text, columns = words[-1]
        words[-1] = (text + character, [*columns, place])
    return words


def _edges(words: list[tuple[str, list[int]]], column: float, wide: int, length: int) -> tuple[Word, ...]:
    """The words with their edges: half an average character beyond the middles of their first and last columns."""
    if any(_is_cjk(text[0]) for text, _ in words):
        # A line with any such character is given character by character.
        parts = [(one, [place]) for text, places in words for one, place in zip(text, places, strict=True)]
    else:
        parts = words
    steps = [(places[-1] - places[0]) * column / (len(places) - 1) for _, places in words if len(places) > 1]
    half = (sum(steps) / len(steps) if steps else wide / length) / 2
    edges = [
        [max(int((places[0] + 0.5) * column - half), 0), min(int((places[-1] + 0.5) * column + half), wide)]
        for _, places in parts
    ]
    found = [[float(left), float(right)] for left, right in edges]
    for one, following in pairwise(found):
        if one[1] > following[0]:
            one[1] = following[0] = (one[1] + following[0]) / 2
    return tuple((text, left, right) for (text, _), (left, right) in zip(parts, found, strict=True))


def _is_cjk(character: str) -> bool:
    """What rapidocr takes for Chinese: ideographs, their punctuation, wide forms."""
    return "\u4e00" <= character <= "\u9fff" or "\u3000" <= character <= "\u303f" or "\uff00" <= character <= "\uffef"
