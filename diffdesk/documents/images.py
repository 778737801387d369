"""Images as the user has them: opened safely, described, made small, imported, and cut into frames.

Uses Pillow and no Qt. What can't be opened becomes an `ImageError` with a remedy. Knows nothing of where
attachments are kept and of what a model makes of pixels.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from diffdesk.core.errors import ImageError
from diffdesk.documents.formats import SUFFIXES
from diffdesk.documents.image_guard import FORMATS_IN_WORDS, HEIF, check_size, opened
from diffdesk.documents.natural_order import natural_key
from diffdesk.documents.pixels import to_rgb

FRAME_SIDE = 1280
"""Frames of an animation are made no larger than this: sixty of them are held at once."""

_SUFFIX_OF = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "GIF": ".gif",
    HEIF: ".heic",
}
_NAME_OF = {"WEBP": "WebP", HEIF: "HEIC"}
_ORIENTATION = 0x0112
_TURNED_SIDEWAYS = range(5, 9)
_SHOWN_AT_ONCE_MS = 10  # GIFs that ask for 10 ms a frame or less are shown at 100 ms, as browsers do
_USUAL_FRAME_MS = 100


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the user may want to know of an image file.

    Attributes:
        width, height: as it is shown, that is upright, in pixels.
        format: ``PNG``, ``JPEG``, ``TIFF``, ``WebP``, ``BMP``, ``GIF`` or ``HEIC``.
        frames: of an animation, pages of a TIFF, pictures of a HEIC; 1 for a still.
        notes: what is done to it, each a clause without a full stop.
    """

    width: int
    height: int
    format: str
    frames: int = 1
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        """One line: ``GIF, 320 × 200, animated: the first of 12 frames is used``."""
        return ", ".join([self.format, f"{self.width:,} × {self.height:,}", *self.notes])


@dataclass(frozen=True, slots=True)
class ImportedImage:
    """An image that was decoded to its last pixel (an animation: to the end of its first frame).

    Attributes:
        data: the bytes of the original file, unchanged.
        suffix: the ending that fits its contents, whatever the file was called: ``.png``, ``.jpg`` …
        facts: its size and notes.
    """

    data: bytes
    suffix: str
    facts: ImageFacts


def open_image(path: Path) -> Image.Image:
    """The image as upright 8-bit RGB; of an animation the first frame.

    Raises:
        ImageError: it can't be opened.
    """
    with opened(path) as image:
        return to_rgb(image)


def inspect_image(path: Path) -> ImageFacts:
    """Size and notes from the file's header, without decoding its pixels.

    Raises:
        ImageError: it can't be opened. Damage beyond the header is not found here.
    """
    with opened(path) as image:
        return _facts(image)


def thumbnail_png(path: Path, box: int) -> bytes:
    """A PNG of the upright image that fits into ``box`` × ``box`` pixels; a smaller image keeps its size.

    Raises:
        ImageError: it can't be opened.
    """
    with opened(path) as image:
        return small_png(image, box)


def small_png(image: Image.Image, box: int) -> bytes:
    """As `thumbnail_png`, of an image that is opened and not decoded yet; raises what its decoder raises."""
    # A JPEG can be decoded at an eighth of its size for a fraction of the time.
    image.draft(None, (box, box))
    small = to_rgb(image)
    small.thumbnail((box, box), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return to_png_bytes(small)


def to_png_bytes(image: Image.Image) -> bytes:
    """The image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def import_image(data_or_path: bytes | Path) -> ImportedImage:
    """Takes in a pasted image or a file: checks all of it and keeps its original bytes.

    Raises:
        ImageError: it can't be opened, or its pixels are damaged.
    """
    if isinstance(data_or_path, bytes):
        data, name = data_or_path, ""
    else:
        name = data_or_path.name
        with opened(data_or_path):
            data = data_or_path.read_bytes()
    # What is checked are the bytes that are kept, even if the file changes in this moment.
    with opened(data, name) as image:
        facts = _facts(image)
        suffix = _SUFFIX_OF[_kind(image)]
        image.load()
    return ImportedImage(data, suffix, facts)


def sample_frames(path: Path, per_second: float = 1.0, at_most: int = 60) -> list[tuple[str, Image.Image]]:
    """Frames of an animation (GIF, WebP, PNG), or the images of a folder, as a model is shown a video.

    Args:
        path: the animation, or a folder whose images are taken in the order of their names (``2`` before ``10``),
            one for each sample.
        per_second: how many frames are taken of each second.
        at_most: how many frames are taken; what comes later is left out.

    Returns:
        Pairs of a ``mm:ss`` stamp and an upright RGB image of at most `FRAME_SIDE` pixels a side. A still gives
        one pair.

    Raises:
        ImageError: it can't be opened, or is a video in a container that needs a decoder.
        ValueError: ``per_second`` or ``at_most`` is not positive.
    """
    if per_second <= 0 or at_most < 1:
        raise ValueError("per_second and at_most must be positive")
    if path.is_dir():
        found = (open_image(file) for file in _images_in(path)[:at_most])
        return [(_stamp(number / per_second), _bounded(image)) for number, image in enumerate(found)]
    frames: list[tuple[str, Image.Image]] = []
    with opened(path) as image:
        end_ms = 0.0
        for shown, duration_ms in _shown_frames(image, path.name):
            end_ms += duration_ms
            while len(frames) < at_most and len(frames) / per_second * 1000 < end_ms:
                frames.append((_stamp(len(frames) / per_second), shown()))
            if len(frames) == at_most:
                break
    return frames


# --- facts ------------------------------------------------------------------------------------------


def _kind(image: Image.Image) -> str:
    # Phones write several pictures into one JPEG (MPO); the first is the photo.
    return "JPEG" if image.format == "MPO" else image.format or ""


def _facts(image: Image.Image) -> ImageFacts:
    kind = _kind(image)
    frames = 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    notes: list[str] = []
    if frames > 1 and kind == "TIFF":
        notes.append(f"several pages: the first of {frames} is used")
    elif frames > 1 and kind == HEIF:
        notes.append(f"several pictures: the main one of {frames} is used")
    elif frames > 1:
        notes.append(f"animated: the first of {frames} frames is used")
    width, height = image.size
    held = orientation(image)
    if held > 1:
        notes.append("turned upright as its camera said")
        # Pillow gives a TIFF's size as it will be after turning, and every other one's as it is in the file.
        if held in _TURNED_SIDEWAYS and kind != "TIFF":
            width, height = height, width
    if image.mode == "CMYK":
        notes.append("print colours (CMYK) are shown as screen colours")
    elif image.mode == "F" or image.mode.startswith("I"):
        notes.append("brightness is reduced to 256 steps")
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        notes.append("transparent parts are shown on white")
    return ImageFacts(width, height, _NAME_OF.get(kind, kind), frames, tuple(notes))


def orientation(image: Image.Image) -> int:
    """How the camera was held, 1 (upright) to 8, from EXIF."""
    if image.format == "PNG" and "exif" not in image.info:
        # Pillow would decode the whole image in search of a later mark.
        return 1
    try:
        held = image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, LookupError, TypeError):
        return 1
    return held if isinstance(held, int) and 1 <= held <= 8 else 1


# --- frames -----------------------------------------------------------------------------------------


class _Shown:
    """One frame of an opened animation; called before the next is reached, it gives the pixels, once made."""

    def __init__(self, image: Image.Image) -> None:
        self._image = image
        self._made: Image.Image | None = None

    def __call__(self) -> Image.Image:
        if self._made is None:
            self._made = _bounded(to_rgb(self._image))
        return self._made


def _shown_frames(image: Image.Image, label: str) -> Iterator[tuple[_Shown, float]]:
    """Each frame with how long it is shown, in milliseconds."""
    for number in range(int(getattr(image, "n_frames", 1))):
        image.seek(number)
        check_size(image.size, label)
        # Later frames are drawn over earlier ones, and WebP tells its times only when it has decoded.
        image.load()
        duration = float(image.info.get("duration", 0) or 0)
        yield _Shown(image), duration if duration > _SHOWN_AT_ONCE_MS else _USUAL_FRAME_MS


def _images_in(folder: Path) -> list[Path]:
    try:
        found = [file for file in folder.iterdir() if file.suffix.casefold() in SUFFIXES and file.is_file()]
    except OSError as error:
        raise ImageError(
            "The folder can't be read",
            f"{folder.name} could not be opened: {error.strerror or error}.",
            "Check its permissions, or choose another folder.",
        ) from error
    if not found:
        raise ImageError(
            "No images in this folder",
            f"{folder.name} holds no {FORMATS_IN_WORDS} file.",
            "Choose a folder with the frames of a video as images, or an animated GIF.",
        )
    return sorted(found, key=lambda file: natural_key(file.name))


def _bounded(image: Image.Image) -> Image.Image:
    image.thumbnail((FRAME_SIDE, FRAME_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image


def _stamp(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
