"""Turns any kind of pixels into upright 8-bit RGB on white.

Knows nothing of files. Pillow's own `convert` clips 16-bit values, forgets transparency and takes print colours
(CMYK) for screen colours without looking at their profile; here each is done as a viewer would do it.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

_WHITE = (255, 255, 255)
_DEEP_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_ALPHA_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})
_TIFF_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,  # Pillow counts the other way round
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


def to_rgb(image: Image.Image) -> Image.Image:
    """A new upright 8-bit RGB image; transparent parts on white, colours as sRGB, no metadata.

    Raises what Pillow's decoders raise, for the pixels may be decoded only here.
    """
    # Asked first, for a turned copy has lost its tags.
    is_white_zero = getattr(image, "tag_v2", {}).get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO
    upright = ImageOps.exif_transpose(image)
    rgb = _from_deep(upright, is_white_zero) if upright.mode in _DEEP_MODES else _flattened(upright)
    # Nothing of the file (place, camera, profile) may travel on with the pixels.
    rgb.info = {}
    rgb.getexif().clear()
    return rgb


def turned_clockwise(image: Image.Image, degrees: int) -> Image.Image:
    """The image turned by 0, 90, 180 or 270 degrees."""
    return image.transpose(_CLOCKWISE[degrees]) if degrees else image


def _flattened(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode in {"CMYK", "LAB"}:
        return _from_print(image, profile)
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        layer = image.convert("RGBA")
        flat = Image.new("RGB", layer.size, _WHITE)
        flat.paste(layer, mask=layer.getchannel("A"))
        return _to_srgb(flat, profile)
    if image.mode in {"1", "L"}:
        # A grey profile differs from sRGB in the brightness of mid-tones only.
        return image.convert("RGB")
    return _to_srgb(image.convert("RGB"), profile)


def _from_deep(image: Image.Image, is_white_zero: bool) -> Image.Image:
    grey = _scaled(np.asarray(image))
    # Pillow turns TIFFs where zero is white over for 1 and 8 bits only.
    return Image.fromarray(255 - grey if is_white_zero else grey).convert("RGB")


def _scaled(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Values of more than 8 bits on the scale 0…255, by the smallest usual range that holds them."""
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return np.right_shift(values.astype(np.uint16), 8).astype(np.uint8)
    numbers = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(numbers.max())
    ranges = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    full = next((one for one in ranges if top <= one), top)
    scaled: NDArray[np.uint8] = np.clip(numbers * (255.0 / full), 0, 255).astype(np.uint8)
    return scaled


def _from_print(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode == "LAB" and not profile:
        return _through_profiles(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if profile:
        try:
            return _through_profiles(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            # A profile that does not fit its image says nothing.
            pass
    return image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        return _through_profiles(image, source)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image


def _through_profiles(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    made = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return image if made is None else made
