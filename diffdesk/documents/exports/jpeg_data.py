"""The picture in a JPEG file, byte for byte, without what the camera wrote beside it.

A PDF can hold a JPEG as it is, so a scan loses nothing. What is left out are the notes (Exif and XMP with place and
camera, comments, the small preview) and whatever follows the picture. Knows nothing of PDF.
"""

from __future__ import annotations

import re

_START, _END = b"\xff\xd8", b"\xff\xd9"
_SCAN = 0xDA
# APP1 (Exif, XMP), APP3 to APP13 (previews, Photoshop), APP15, comments. Kept: JFIF, colour profile, Adobe's transform.
_NOTES = frozenset({0xE1, *range(0xE3, 0xEE), 0xEF, 0xFE})
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")  # inside a scan, 0 and D0 … D7 are data


def picture_alone(data: bytes) -> bytes:
    """The JPEG without its notes; raises `ValueError` if it is cut off or not laid out as it should be."""
    if not data.startswith(_START):
        raise ValueError("no JPEG")
    parts, at = [_START], len(_START)
    while True:
        found = _MARKER.match(data, at)
        if found is None:
            raise ValueError(f"no marker at {at}")
        kind, at = found[1][0], found.end()
        if kind == _END[1]:
            return b"".join([*parts, _END])
        length = int.from_bytes(data[at : at + 2], "big")
        segment = data[at : at + length]
        if length < 2 or len(segment) < length:
            raise ValueError(f"a segment at {at} is cut off")
        at += length
        if kind in _NOTES:
            continue
        parts.append(bytes([0xFF, kind]) + segment)
        if kind == _SCAN:
            following = _MARKER.search(data, at)
            if following is None:
                raise ValueError("the picture has no end")
            parts.append(data[at : following.start()])
            at = following.start()
