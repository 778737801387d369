"""Opens image files that nobody vouches for, and says in plain words why one can't be used.

Only the formats named here are tried: none of them runs a program (EPS would start Ghostscript). The size is
checked from the header, before any pixel is decoded. What opens photos of phones (HEIC) is loaded with the first of
them. Knows nothing of what becomes of the pixels.
"""

from __future__ import annotations

import functools
import io
import re
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from diffdesk.core.errors import ImageError

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
"""What is opened, by Pillow's names."""

FORMATS_IN_WORDS = "PNG, JPEG, TIFF, WebP, BMP, GIF or HEIC"

HEIF = "HEIF"
"""HEIC photos, by the name of the plug-in that opens them."""

MAX_PIXELS = 100_000_000
"""The largest image that is decoded: as RGB it takes 300 MB."""

MAX_FILE_BYTES = 256 * 1024 * 1024
"""The largest file that is opened."""

# Pillow refuses an image of twice its own limit at its header and only warns below that. We refuse all above
# the limit with a message, so the warning would say it a second time, on stderr.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

# All that Pillow's decoders were seen to raise for data that is cut off or wrong.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_HEIC = rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)"

_OURS = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "GIF": rb"GIF8[79]a",
    "WebP": rb"RIFF....WEBP",
    "TIFF": rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+",
    "BMP": rb"BM....\x00\x00\x00\x00",
    "HEIC": _HEIC,
}

_VIDEO = re.compile(
    rb"....ftyp(?!hei[cxms]|hev[cxms]|mif1|msf1|avif|avis)|\x1aE\xdf\xa3|RIFF....AVI |OggS|\x00\x00\x01[\xb3\xba]",
    re.DOTALL,
)

_OTHERS = {
    "an AVIF image": rb"....ftypavi[fs]",
    "a PostScript file": rb"%!PS|\xc5\xd0\xd3\xc6",
    "a Photoshop document": rb"8BPS",
    "an SVG drawing": rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg",
    "a JPEG 2000 image": rb"\x00\x00\x00\x0cjP  ",
    "a JPEG XL image": rb"\xff\x0a|\x00\x00\x00\x0cJXL ",
    "a ZIP archive or an office document": rb"PK\x03\x04",
}

_HEAD_BYTES = 1024


@contextmanager
def opened(source: Path | bytes, name: str = "") -> Iterator[Image.Image]:
    """An image whose header has been read and whose size is allowed; pixels are decoded when first used.

    What the decoders raise inside the `with` becomes an `ImageError`, so keep its body to decoding.

    Args:
        source: a file, or the bytes of one.
        name: what to call it in messages; the file's name by default.

    Raises:
        ImageError: missing, unreadable, empty, no image, damaged or too large.
    """
    label = name or (source.name if isinstance(source, Path) else "The pasted image")
    head = _head(source, label)
    formats = _heif_formats(label) if re.match(_HEIC, head, re.DOTALL) else FORMATS
    try:
        stream = source if isinstance(source, Path) else io.BytesIO(source)
        with Image.open(stream, formats=formats) as image:
            check_size(image.size, label)
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # The warning comes as an exception where warnings are errors.
        digits = re.search(r"(\d+) pixels", str(error))
        raise _too_large(label, int(digits.group(1)) if digits else 2 * MAX_PIXELS) from error
    except UnidentifiedImageError as error:
        raise _not_ours(head, label, str(error)) from error
    except MemoryError as error:
        raise ImageError(
            "Not enough memory for this image",
            f"{label} needs more memory than is free.",
            "Close other programs, or make the image smaller, and try again.",
        ) from error
    except _DECODER_ERRORS as error:
        raise _damaged(label, f"{type(error).__name__}: {error}") from error


def check_size(size: tuple[int, int], label: str) -> None:
    """Refuses an image, or a frame of one, that is empty or would take too much memory.

    Raises:
        ImageError: with the size and what to do.
    """
    width, height = size
    if width < 1 or height < 1:
        raise _damaged(label, f"size {width} × {height}")
    if width * height > MAX_PIXELS:
        raise _too_large(label, width * height, f"{width:,} × {height:,} pixels, ")


def is_video(head: bytes) -> bool:
    """Whether a file that begins so is a video in a container (MP4, MOV, MKV, WebM, AVI, Ogg, MPEG)."""
    return _VIDEO.match(head) is not None


def video_refused(label: str) -> ImageError:
    """The error for a video file, which needs a decoder that is not part of the program."""
    return ImageError(
        "Videos can't be opened",
        f"{label} is a video. Frames are read from animated GIF, WebP and PNG files and from folders of images.",
        "Export the video as a GIF, or its frames as images into a folder, and open that.",
    )


def is_pdf(head: bytes) -> bool:
    """Whether a file that begins so is a PDF; something else may stand before its first line, but no image."""
    return b"%PDF-" in head and not is_image(head)


def is_image(head: bytes) -> bool:
    """Whether a file that begins so is an image of a kind that is opened here."""
    return any(re.match(pattern, head, re.DOTALL) for pattern in _OURS.values())


@functools.cache
def _heif_plugin() -> str:
    """Registers what opens HEIC photos; says why where it can't be done, and nothing else."""
    try:
        from pillow_heif import register_heif_opener

        register_heif_opener()
    except (ImportError, OSError) as error:
        return str(error)
    return ""


def _heif_formats(label: str) -> tuple[str, ...]:
    problem = _heif_plugin()
    if problem:
        raise ImageError(
            "HEIC photos can't be opened",
            f"{label} is a HEIC photo, and the package that opens those is missing: {problem}.",
            "Install it with: pip install pillow-heif – or save the photo as a JPEG.",
        )
    return (HEIF,)


def head_of(path: Path) -> bytes:
    """The first bytes of a file, once it is sure that there is a file with something in it to read.

    Raises:
        ImageError: missing, unreadable, empty, a folder or no file at all.
    """
    return _checked_head(*_file_head(path, path.name), path.name)


def _head(source: Path | bytes, label: str) -> bytes:
    """The first bytes, once it is sure that there is a file of a reasonable size to read."""
    if isinstance(source, bytes):
        size, head = len(source), source[:_HEAD_BYTES]
    else:
        size, head = _file_head(source, label)
    _checked_head(size, head, label)
    if size > MAX_FILE_BYTES:
        raise ImageError(
            "The file is too large",
            f"{label} has {size / 1e6:,.0f} MB; files of up to {MAX_FILE_BYTES / 1e6:,.0f} MB are opened.",
            "Save it as a JPEG or make it smaller, and try again.",
        )
    return head


def _checked_head(size: int, head: bytes, label: str) -> bytes:
    if not size:
        raise ImageError("The file is empty", f"{label} holds no data (0 bytes).", "Save, copy or download it again.")
    return head


def _file_head(path: Path, label: str) -> tuple[int, bytes]:
    try:
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise ImageError("This is a folder", f"{label} is a folder, not an image.", "Choose the images inside it.")
        if not stat.S_ISREG(facts.st_mode):
            # Opening a pipe or a device could wait for ever.
            raise ImageError("This is not a file", f"{label} is a device or a pipe.", "Choose an image file.")
        with path.open("rb") as file:
            return facts.st_size, file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise ImageError(
            "The file is not there", f"There is no file {path}.", "It may have been moved or renamed: choose it again."
        ) from error
    except PermissionError as error:
        raise ImageError(
            "The file can't be read",
            f"You have no permission to read {label}.",
            "Change its permissions, or copy it to a folder of your own.",
        ) from error
    except (OSError, ValueError) as error:
        # ValueError: a path with a null character.
        raise ImageError(
            "The file can't be read",
            f"{label} could not be opened: {getattr(error, 'strerror', None) or error}.",
            "Check that its drive is still connected, or copy the file to another place.",
        ) from error


def _not_ours(head: bytes, label: str, details: str) -> ImageError:
    if is_video(head):
        return video_refused(label)
    if is_image(head):
        return _damaged(label, details)
    if is_pdf(head):
        return ImageError(
            "This is a PDF document",
            f"{label} is a PDF document; images can be {FORMATS_IN_WORDS}.",
            "The correction desk takes PDFs: open it there, or save the page you mean as a PNG or JPEG.",
            details,
        )
    for kind, pattern in _OTHERS.items():
        if re.match(pattern, head, re.DOTALL):
            return ImageError(
                f"This is {kind}",
                f"{label} is {kind}; images can be {FORMATS_IN_WORDS}.",
                "Save or export it as a PNG or JPEG and open that.",
                details,
            )
    return ImageError(
        "Not an image",
        f"{label} is not a {FORMATS_IN_WORDS} image, whatever its name says.",
        "Open it with the program that made it and save it as PNG or JPEG.",
        details,
    )


def _damaged(label: str, details: str) -> ImageError:
    return ImageError(
        "The image is damaged",
        f"{label} is cut off or broken, so it can't be shown or read.",
        "Copy, download or scan it again.",
        details,
    )


def _too_large(label: str, pixels: int, size: str = "") -> ImageError:
    return ImageError(
        "The image is too large",
        f"{label} has {size}{pixels / 1e6:,.0f} megapixels; up to {MAX_PIXELS / 1e6:,.0f} are opened.",
        "Make it smaller, or cut out the part you need, and try again.",
    )
