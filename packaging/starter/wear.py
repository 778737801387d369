"""What happens to a printed line on its way into a file: ink, paper, copying, scanning, compression.

Takes the clean ink of a line (how much of each pixel is covered) and gives the greys of a scan. `level` runs from 0
(clean) to 1 (bad), or a little beyond, and scales how often each kind of damage is met and how strong it is. Built for
speed: textures and noise are made once and cut from, effects that cost more are rarer. Knows nothing of fonts and
characters.
"""

from __future__ import annotations

import io
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Ink = NDArray[np.float32]
_TEXTURE_HEIGHT, _TEXTURE_WIDTH = 128, 4096
_GRAIN = 1 << 21
_SEED = 3
_FAINTEST = 0.55  # ink in the middle of strokes, before paper and noise


class Chance(Protocol):
    """Anything that draws uniformly from 0 to 1: `random.Random` and numpy's `Generator` both do."""

    def random(self) -> float: ...


def between(rng: Chance, low: float, high: float) -> float:
    """A uniform draw."""
    return low + (high - low) * rng.random()


def below(rng: Chance, count: int) -> int:
    """A uniform whole number from 0 to `count` - 1."""
    return min(int(rng.random() * count), count - 1)


class Wear:
    """Wears lines; holds the textures, a few megabytes, and no state besides."""

    def __init__(self) -> None:
        generator = np.random.default_rng(_SEED)
        self._fibres = [_texture(generator, 2, 3), _texture(generator, 3, 6)]
        self._clouds = [_texture(generator, 12, 40), _texture(generator, 24, 90), _texture(generator, 40, 250)]
        self._grain = generator.standard_normal(_GRAIN, dtype=np.float32)

    def print_and_scan(self, ink: NDArray[np.uint8], height: int, level: float, rng: Chance) -> NDArray[np.uint8]:
        """uint8[height', w']: the line as a page reader would cut it out of a scan.

        Args:
            ink: uint8[h, w], 0 for paper and 255 for full ink, drawn larger than it will be.
            height: of the result, unless the whole scan is enlarged afterwards; w' keeps the proportions.
            level: 0 to 1.
            rng: draws everything.
        """
        width = max(2, round(ink.shape[1] * height / ink.shape[0]))
        level *= 0.6 + 0.4 * min(1.0, (height - 10) / 14)  # small print bears less
        covered = self._reduced(self._spread(ink, height, level, rng), height, width, rng)
        covered = self._blurred(covered, level, rng)
        covered = self._faded(covered, level, rng)
        # Thin strokes that all of this has left nearly white: whoever scanned it turned the contrast up.
        darkest = _darkest(covered)
        if darkest < _FAINTEST:
            covered = np.minimum(covered * np.float32(_FAINTEST / max(darkest, 0.1)), 1)
        if rng.random() < 0.14 + 0.12 * level:
            covered = self._thresholded(covered, level, rng)
            if rng.random() < 0.6:
                return self._black_and_white(covered, level, rng)
        grey = self._on_paper(covered, level, rng)
        return self._filed(grey, level, rng)

    def _spread(self, ink: NDArray[np.uint8], height: int, level: float, rng: Chance) -> NDArray[np.uint8]:
        """Ink that ran or did not take: strokes get thicker or thinner by a part of a pixel of the drawing."""
        if rng.random() > 0.15 + 0.45 * level:
            return ink
        weight = between(rng, 0.2, min(0.5 + 0.5 * level, 1.0))
        is_thicker = rng.random() < 0.5 + 0.3 * (height < 20)
        choose = np.maximum if is_thicker else np.minimum
        other = ink.copy()
        choose(other[:, 1:], ink[:, :-1], out=other[:, 1:])
        if rng.random() < 0.6:
            choose(other[1:], ink[:-1], out=other[1:])
        share = round(weight * 256)
        return ((ink * np.uint16(256 - share) + other * np.uint16(share)) >> 8).astype(np.uint8)

    def _reduced(self, ink: NDArray[np.uint8], height: int, width: int, rng: Chance) -> Ink:
        kinds = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
        small = Image.fromarray(ink).resize((width, height), kinds[below(rng, 3)])
        covered = np.asarray(small, np.float32)
        covered *= np.float32(1 / 255)
        return covered

    def _blurred(self, covered: Ink, level: float, rng: Chance) -> Ink:
        draw = rng.random()
        if draw > 0.2 + 0.6 * level:
            return covered
        most = covered.shape[0] * (0.008 + 0.035 * level)
        radius = between(rng, 0.3, 1.0) * most
        if draw < 0.1 * level:
            return _moved(covered, max(2, round(2.5 * radius)), rng)
        picture = Image.fromarray((covered * 255).astype(np.uint8))
        blur = ImageFilter.BoxBlur(radius * 1.5) if draw < 0.2 else ImageFilter.GaussianBlur(radius)
        blurred: Ink = np.asarray(picture.filter(blur), np.float32) * np.float32(1 / 255)
        return blurred

    def _faded(self, covered: Ink, level: float, rng: Chance) -> Ink:
        """Places where less ink came off: soft clouds, and the grain of rough paper."""
        if rng.random() < 0.05 + 0.3 * level:
            cloud = self._cut(self._clouds, covered.shape, rng)
            strength = between(rng, 0.1, 0.2 + 0.5 * level)
            covered = covered * np.clip(1 - strength * (cloud + between(rng, 0, 0.4)), 0.35, 1)
        if rng.random() < 0.05 + 0.3 * level:
            fibre = self._cut(self._fibres, covered.shape, rng)
            covered = covered * np.clip(1 - between(rng, 0.1, 0.2 + 0.4 * level) * fibre, 0, 1)
        return covered

    def _thresholded(self, covered: Ink, level: float, rng: Chance) -> Ink:
        """Black and white alone, as a fax or an old copier: broken or filled letters."""
        noise = self._noise(covered.shape, rng) * np.float32(between(rng, 0, 0.05 + 0.12 * level))
        spread = 0.08 + 0.12 * level
        limit = _darkest(covered) * between(rng, 0.5 - spread, 0.5 + spread)
        return (covered + noise > limit).astype(np.float32)

    def _black_and_white(self, covered: Ink, level: float, rng: Chance) -> NDArray[np.uint8]:
        """A file of black and white alone, as most scans of old books are."""
        grey = (1 - covered) * np.float32(255)
        if rng.random() < 0.4 * level:
            self._speckle(grey, 255, 255, level, rng)
        if rng.random() < 0.3:
            # Made smaller afterwards, so that strokes have grey edges.
            size = (max(grey.shape[1] * 3 // 4, 2), max(grey.shape[0] * 3 // 4, 8))
            return np.array(Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BOX))
        return grey.astype(np.uint8)

    def _on_paper(self, covered: Ink, level: float, rng: Chance) -> Ink:
        """Greys, 0 to 255 (and beyond, where noise leads): dark ink on light paper, with all that paper has on it."""
        paper = 255 - between(rng, 0, 30 + 90 * level)
        contrast = paper * between(rng, max(0.85 - 0.55 * level, 0.25), 1)
        if rng.random() < 0.1 + 0.3 * level:
            covered = np.maximum(covered, self._shown_through(covered, level, rng))
        grey = np.float32(paper) - covered * np.float32(contrast)
        if rng.random() < 0.3 + 0.4 * level:
            fibre = self._cut(self._fibres, grey.shape, rng)
            grey += fibre * np.float32(contrast * between(rng, 0.01, 0.04 + 0.1 * level))
        if rng.random() < 0.2 + 0.4 * level:
            cloud = self._cut(self._clouds, grey.shape, rng)
            grey += cloud * np.float32(contrast * between(rng, 0.03, 0.08 + 0.25 * level))
        if rng.random() < 0.1 + 0.15 * level:
            across = np.linspace(-1, 1, grey.shape[1], dtype=np.float32)
            grey += across * np.float32(between(rng, -1, 1) * contrast * (0.1 + 0.2 * level))
        if rng.random() < 0.08 * level:
            cloud = self._cut(self._clouds, grey.shape, rng)
            grey -= (cloud > between(rng, 0.3, 0.7)) * np.float32(contrast * between(rng, 0.05, 0.35))
        if rng.random() < 0.15 + 0.45 * level:
            grey += self._noise(grey.shape, rng) * np.float32(contrast * between(rng, 0.01, 0.03 + 0.13 * level))
        if rng.random() < 0.15 * level:
            grey *= 1 + self._noise(grey.shape, rng) * np.float32(between(rng, 0.03, 0.15))
        if rng.random() < 0.15 * level:
            self._speckle(grey, paper, contrast, level, rng)
        if rng.random() < 0.1 * level:
            _streak(grey, contrast, rng)
        return 255 - grey if rng.random() < 0.05 else grey

    def _shown_through(self, covered: Ink, level: float, rng: Chance) -> Ink:
        """The other side of the sheet: this line's own ink, mirrored, moved and soft."""
        moved = np.roll(covered[:, ::-1], 1 + below(rng, covered.shape[1] - 1), axis=1)
        moved = np.roll(moved, below(rng, covered.shape[0]), axis=0)
        soft = moved.copy()
        soft[:, 2:] += moved[:, :-2]
        soft[:, 1:] += moved[:, :-1]
        return soft * np.float32(between(rng, 0.02, 0.05 + 0.18 * level) / 3)

    def _speckle(self, grey: Ink, paper: float, contrast: float, level: float, rng: Chance) -> None:
        """Salt and pepper, as single pixels or small squares."""
        count = int(grey.size * between(rng, 0.0005, 0.012 * level))
        start = below(rng, _GRAIN - 2 * count - 1)
        down = (np.abs(self._grain[start : start + count]) * 7919 % grey.shape[0]).astype(np.intp)
        across = (np.abs(self._grain[start + count : start + 2 * count]) * 104729 % grey.shape[1]).astype(np.intp)
        is_salt = (down + across) % 2 == 0
        spots = np.where(is_salt, np.float32(paper), np.float32(paper - contrast))
        grey[down, across] = spots
        if rng.random() < 0.4:
            grey[np.minimum(down + 1, grey.shape[0] - 1), across] = spots

    def _filed(self, grey: Ink, level: float, rng: Chance) -> NDArray[np.uint8]:
        """The file: perhaps enlarged, perhaps compressed."""
        image = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
        if rng.random() < 0.45:
            image = _compressed(image, round(between(rng, 80 - 55 * level, 95 - 10 * level)))
        if rng.random() < 0.05 + 0.15 * level and image.height < 32:
            factor = between(rng, 1.2, 2.0)
            kinds = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.NEAREST)
            size = (round(image.width * factor), round(image.height * factor))
            image = image.resize(size, kinds[below(rng, 3)])
        return np.array(image)

    def _noise(self, shape: tuple[int, ...], rng: Chance) -> Ink:
        """Normal noise; mostly of single pixels."""
        size = shape[0] * shape[1]
        start = below(rng, _GRAIN - size)
        return self._grain[start : start + size].reshape(shape)

    def _cut(self, textures: list[Ink], shape: tuple[int, ...], rng: Chance) -> Ink:
        """A piece of a texture, at most 1 and about -1, turned over at times."""
        texture = textures[below(rng, len(textures))]
        top = below(rng, texture.shape[0] - shape[0] + 1)
        left = below(rng, texture.shape[1] - shape[1] + 1)
        piece = texture[top : top + shape[0], left : left + shape[1]]
        return piece[:, ::-1] if rng.random() < 0.5 else piece


def _darkest(covered: Ink) -> float:
    """About how dark the strokes' middles are: the ink's own mean where there is ink, and what edges take off it."""
    few = covered[::2, ::3]
    total = float(few.sum())
    return min(1.3 * float((few * few).sum()) / total, 1.0) if total else 1.0


def _texture(generator: np.random.Generator, *sizes: int) -> Ink:
    """float32[128, 4096] in -1 to 1: noise with grains of these sizes in pixels, the larger ones stronger."""
    total = np.zeros((_TEXTURE_HEIGHT, _TEXTURE_WIDTH), np.float32)
    for size in sizes:
        shape = (_TEXTURE_HEIGHT // size + 2, _TEXTURE_WIDTH // size + 2)
        small = Image.fromarray(generator.standard_normal(shape, dtype=np.float32))
        total += np.asarray(small.resize((_TEXTURE_WIDTH, _TEXTURE_HEIGHT), Image.Resampling.BICUBIC), np.float32)
    total /= 2 * total.std()
    return np.clip(total, -1, 1)


def _moved(covered: Ink, length: int, rng: Chance) -> Ink:
    """Smeared by a movement of `length` pixels along or across the line."""
    axis = below(rng, 2)
    length = length if axis else min(length, 3)
    total = covered.copy()
    for step in range(1, length):
        total += np.roll(covered, step - length // 2, axis)
    return total / np.float32(length)


def _streak(grey: Ink, contrast: float, rng: Chance) -> None:
    """Lines that a dirty scanner draws down or across."""
    for _ in range(1 + below(rng, 2)):
        change = np.float32(contrast * between(rng, -0.7, 0.5))
        if rng.random() < 0.6:
            at = below(rng, grey.shape[1])
            grey[:, at : at + 1 + below(rng, 2)] += change
        else:
            at = below(rng, grey.shape[0])
            grey[at : at + 1] += change * np.float32(0.6)


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    file.seek(0)
    return Image.open(file).convert("L")
