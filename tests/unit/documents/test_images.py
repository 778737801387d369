"""Images of every kind are opened as a viewer would show them, and bad ones are refused with a remedy."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from diffdesk.core.errors import ImageError
from diffdesk.documents import image_guard
from diffdesk.documents.images import (
    FRAME_SIDE,
    ImageFacts,
    import_image,
    inspect_image,
    open_image,
    sample_frames,
    thumbnail_png,
    to_png_bytes,
)
from tests.unit.documents.drawing import animation, corners, png_that_claims

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ORIENTATION = 0x0112


def near(one: object, other: tuple[int, int, int], within: int = 12) -> bool:
    assert isinstance(one, tuple)
    return all(abs(int(a) - b) <= within for a, b in zip(one, other, strict=True))


def refused(path: Path) -> ImageError:
    with pytest.raises(ImageError) as caught:
        open_image(path)
    assert caught.value.title
    assert caught.value.text
    assert caught.value.remedy
    return caught.value


# --- formats and modes ------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp", ".gif"])
def test_every_format_is_opened_and_described(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    corners().save(path)
    image = open_image(path)
    assert image.mode == "RGB"
    assert near(image.getpixel((2, 5)), RED, 30)
    assert near(image.getpixel((17, 5)), BLUE, 30)
    facts = inspect_image(path)
    assert (facts.width, facts.height, facts.frames, facts.notes) == (20, 10, 1, ())
    assert facts.describe().endswith("20 × 10")


def test_a_heic_photo_is_opened_upright_and_described(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    photo = corners().resize((200, 100))
    pillow_heif.from_pillow(photo).save(tmp_path / "a.heic", quality=90)
    # As phones do it: the photo is stored as it was taken, with a turn that is part of its format.
    pillow_heif.register_heif_opener()
    photo.info["exif"] = exif.tobytes()
    photo.save(tmp_path / "turned.heic", "HEIF", quality=90)
    assert near(open_image(tmp_path / "a.heic").getpixel((20, 50)), RED, 12)
    assert inspect_image(tmp_path / "a.heic").describe() == "HEIC, 200 × 100"
    assert open_image(tmp_path / "turned.heic").size == (100, 200)
    taken = import_image(tmp_path / "a.heic")
    assert (taken.suffix, taken.data) == (".heic", (tmp_path / "a.heic").read_bytes())
    with Image.open(io.BytesIO(thumbnail_png(tmp_path / "a.heic", 50))) as small:
        assert small.size == (50, 25)


def test_of_a_heic_with_pictures_the_main_one_is_used_and_said(tmp_path: Path) -> None:
    burst = pillow_heif.from_pillow(Image.new("RGB", (64, 64), RED))
    burst.add_from_pillow(Image.new("RGB", (64, 64), BLUE))
    burst.save(tmp_path / "burst.heic", quality=90, primary_index=1)
    assert near(open_image(tmp_path / "burst.heic").getpixel((30, 30)), BLUE)
    facts = inspect_image(tmp_path / "burst.heic")
    assert facts.describe() == "HEIC, 64 × 64, several pictures: the main one of 2 is used"


def test_without_what_opens_heic_photos_that_is_told(tmp_path: Path) -> None:
    pillow_heif.from_pillow(corners()).save(tmp_path / "a.heic")
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from pathlib import Path; from diffdesk.documents.images import open_image\n"
        "try: open_image(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error.title, error.remedy)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.heic"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ImageError HEIC photos can't be opened Install it with: pip install pillow-heif")


def test_what_opens_heic_photos_is_loaded_with_the_first_of_them(tmp_path: Path) -> None:
    corners().save(tmp_path / "a.png")
    pillow_heif.from_pillow(corners()).save(tmp_path / "a.heic")
    code = (
        "import sys; from pathlib import Path; from diffdesk.documents.images import open_image\n"
        "for path in sys.argv[1:]: open_image(Path(path)); print('pillow_heif' in sys.modules)"
    )
    files = [tmp_path / "a.png", tmp_path / "a.heic"]
    done = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_pdf_is_sent_to_the_correction_desk(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%PDF-1.7\n" + bytes(100))
    assert "correction desk takes PDFs" in refused(tmp_path / "a.png").remedy


def test_the_name_of_a_file_does_not_decide_its_format(tmp_path: Path) -> None:
    path = tmp_path / "really-a.png"
    corners().save(path, "GIF")
    assert inspect_image(path).format == "GIF"
    assert import_image(path).suffix == ".gif"


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(1, 256)
    path = tmp_path / "deep.png"
    Image.fromarray(ramp).save(path)
    grey = np.asarray(open_image(path))[0, :, 0].astype(int)
    assert np.abs(grey - np.arange(256)).max() <= 1
    assert "256 steps" in inspect_image(path).describe()


def test_a_sixteen_bit_tiff_where_white_is_zero_is_turned_over(tmp_path: Path) -> None:
    values = np.array([[0, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "film.tif", tiffinfo={262: 0})
    image = open_image(tmp_path / "film.tif")
    assert image.getpixel((0, 0)) == WHITE
    assert image.getpixel((1, 0)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], dtype=np.float32), [0, 127, 255]),
        (np.array([[0.0, 128.0, 255.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[float("nan"), 0.5, 1.0]], dtype=np.float32), [0, 127, 255]),
        (np.array([[0, 100, 255]], dtype=np.int32), [0, 100, 255]),
        (np.array([[0, 32768, 65535]], dtype=np.int32), [0, 127, 255]),
        (np.array([[-5, 0, 200]], dtype=np.int32), [0, 0, 200]),
    ],
)
def test_wide_values_take_the_smallest_usual_range(tmp_path: Path, values: np.ndarray, expected: list[int]) -> None:
    Image.fromarray(values).save(tmp_path / "wide.tif")
    assert np.asarray(open_image(tmp_path / "wide.tif"))[0, :, 0].tolist() == expected


def test_a_cmyk_jpeg_shows_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(path, quality=95)
    assert near(open_image(path).getpixel((8, 8)), RED)
    assert "CMYK" in inspect_image(path).describe()


def test_an_unfit_profile_is_no_obstacle(tmp_path: Path) -> None:
    screen = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", icc_profile=screen, quality=95)
    assert near(open_image(tmp_path / "a.jpg").getpixel((8, 8)), RED)
    corners().save(tmp_path / "b.png", icc_profile=b"no profile at all")
    assert open_image(tmp_path / "b.png").getpixel((2, 5)) == RED


def test_colours_of_another_space_are_brought_to_the_screen(tmp_path: Path) -> None:
    # A profile in which red and blue have changed places, under a name of its own.
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tXYZ", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tXYZ", b"bXYZ", 1)
    renamed = swapped.replace("sRGB".encode("utf-16-be"), "tRGB".encode("utf-16-be"))
    corners().save(tmp_path / "wide.png", icc_profile=renamed)
    assert near(open_image(tmp_path / "wide.png").getpixel((2, 5)), BLUE)


def test_lab_colours_become_screen_colours(tmp_path: Path) -> None:
    Image.new("LAB", (4, 4), (255, 128, 128)).save(tmp_path / "lab.tif")
    assert near(open_image(tmp_path / "lab.tif").getpixel((2, 2)), WHITE, 6)


def test_a_palette_png_shows_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "palette.png"
    corners().quantize(4).save(path)
    with Image.open(path) as stored:
        assert stored.mode == "P"
    assert near(open_image(path).getpixel((2, 5)), RED, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_are_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (4, 2), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (2, 0, 4, 2))
    path = tmp_path / "clear.png"
    image.convert(mode).save(path)
    opened = open_image(path)
    assert opened.getpixel((0, 0)) == (0, 0, 0)
    assert opened.getpixel((3, 0)) == WHITE
    assert "white" in inspect_image(path).describe()


def test_a_transparent_palette_entry_and_a_transparent_colour_are_white(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "entry.png", transparency=0)
    assert open_image(tmp_path / "entry.png").getpixel((0, 0)) == WHITE
    assert open_image(tmp_path / "entry.png").getpixel((1, 0)) == RED
    corners().save(tmp_path / "colour.png", transparency=RED)
    assert open_image(tmp_path / "colour.png").getpixel((2, 5)) == WHITE


def test_one_bit_stays_black_and_white(tmp_path: Path) -> None:
    image = Image.new("1", (2, 1), 1)
    image.putpixel((1, 0), 0)
    image.save(tmp_path / "fax.tif", compression="group4")
    assert [open_image(tmp_path / "fax.tif").getpixel((x, 0)) for x in (0, 1)] == [WHITE, (0, 0, 0)]


# --- turning and metadata ---------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize(("orientation", "size", "red_at"), [(3, (20, 10), (17, 5)), (6, (10, 20), (5, 2))])
def test_images_are_turned_as_the_camera_said(
    tmp_path: Path, suffix: str, orientation: int, size: tuple[int, int], red_at: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"photo{suffix}"
    corners().save(path, exif=exif)
    image = open_image(path)
    assert image.size == size
    assert near(image.getpixel(red_at), RED, 30)
    facts = inspect_image(path)
    assert (facts.width, facts.height) == size
    assert "turned upright as its camera said" in facts.notes
    with Image.open(io.BytesIO(thumbnail_png(path, 100))) as small:
        assert small.size == size


def test_nothing_of_the_file_travels_on_with_the_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera of mine"
    path = tmp_path / "private.jpg"
    corners().save(path, exif=exif, comment=b"at home")
    image = open_image(path)
    assert image.info == {}
    for data in (to_png_bytes(image), thumbnail_png(path, 8)):
        assert b"camera" not in data
        assert b"at home" not in data


# --- animations -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_of_an_animation_the_first_frame_is_used_and_said(tmp_path: Path, suffix: str) -> None:
    path = animation(tmp_path / f"moving{suffix}", [RED, GREEN, BLUE], 400)
    assert near(open_image(path).getpixel((3, 3)), RED, 3)
    facts = inspect_image(path)
    assert facts.frames == 3
    assert "animated: the first of 3 frames is used" in facts.describe()


def test_of_a_tiff_with_pages_the_first_is_used_and_said(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    corners().save(path, save_all=True, append_images=[Image.new("RGB", (5, 5))])
    assert inspect_image(path).describe() == "TIFF, 20 × 10, several pages: the first of 2 is used"


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_frames_are_sampled_by_time_with_their_stamps(tmp_path: Path, suffix: str) -> None:
    # Shown for 0.7 s each: at 0, 1 and 2 seconds the first, second and third are on the screen.
    path = animation(tmp_path / f"moving{suffix}", [RED, GREEN, BLUE], 700)
    frames = sample_frames(path)
    assert [stamp for stamp, _ in frames] == ["00:00", "00:01", "00:02"]
    for (_, image), colour in zip(frames, [RED, GREEN, BLUE], strict=True):
        assert near(image.getpixel((3, 3)), colour, 3)


def test_a_long_animation_gives_no_more_frames_than_asked_for(tmp_path: Path) -> None:
    colours = [(number, 0, 255 - number) for number in range(0, 250, 2)]
    path = animation(tmp_path / "long.gif", colours, 1000)
    assert [stamp for stamp, _ in sample_frames(path)][-2:] == ["00:58", "00:59"]
    assert len(sample_frames(path)) == 60
    twice = sample_frames(path, per_second=2.0, at_most=5)
    assert [stamp for stamp, _ in twice] == ["00:00", "00:00", "00:01", "00:01", "00:02"]
    assert len(sample_frames(path, per_second=0.1, at_most=100)) == 13


def test_a_still_gives_one_frame_of_bounded_size(tmp_path: Path) -> None:
    Image.new("RGB", (FRAME_SIDE * 2, 10)).save(tmp_path / "wide.png")
    [(stamp, image)] = sample_frames(tmp_path / "wide.png")
    assert stamp == "00:00"
    assert image.size == (FRAME_SIDE, 5)


def test_a_folder_of_frames_is_taken_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number, colour in ((10, BLUE), (2, GREEN), (1, RED)):
        Image.new("RGB", (4, 4), colour).save(tmp_path / f"frame{number}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    frames = sample_frames(tmp_path)
    assert [(stamp, image.getpixel((0, 0))) for stamp, image in frames] == [
        ("00:00", RED),
        ("00:01", GREEN),
        ("00:02", BLUE),
    ]


def test_a_folder_without_images_and_wrong_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No images in this folder"):
        sample_frames(tmp_path)
    with pytest.raises(ValueError, match="positive"):
        sample_frames(tmp_path, per_second=0)


@pytest.mark.parametrize(
    "head", [b"\x00\x00\x00\x18ftypmp42", b"\x1aE\xdf\xa3\x9fB\x86", b"RIFF\x10\x00\x00\x00AVI LIST", b"OggS\x00\x02"]
)
def test_a_video_is_refused_with_what_works(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "holiday.mp4"
    path.write_bytes(head + bytes(200))
    with pytest.raises(ImageError) as caught:
        sample_frames(path)
    assert caught.value.title == "Videos can't be opened"
    assert "GIF" in caught.value.remedy
    assert "folder" in caught.value.remedy
    assert refused(path).title == "Videos can't be opened"


# --- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(60_000, 50_000), (20_000, 5_001), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header_with_its_size(tmp_path: Path, width: int, height: int) -> None:
    path = png_that_claims(tmp_path / "bomb.png", width, height)
    for work in (open_image, inspect_image, import_image, sample_frames):
        with pytest.raises(ImageError) as caught:
            work(path)
        assert caught.value.title == "The image is too large"
        assert f"{width * height / 1e6:,.0f} megapixels" in caught.value.text
        assert "up to 100 are opened" in caught.value.text
        assert "smaller" in caught.value.remedy


def test_an_allowed_size_with_missing_pixels_is_damage_and_no_bomb(tmp_path: Path) -> None:
    assert refused(png_that_claims(tmp_path / "hollow.png", 3000, 3000)).title == "The image is damaged"


def test_the_first_bytes_of_a_bomb_are_enough(tmp_path: Path) -> None:
    # Without any pixels behind the header: nothing could have been decoded.
    path = png_that_claims(tmp_path / "bomb.png", 60_000, 50_000)
    path.write_bytes(path.read_bytes()[:60])
    assert refused(path).title == "The image is too large"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".gif", ".tif"])
def test_a_truncated_image_is_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert refused(path).title == "The image is damaged"
    with pytest.raises(ImageError):
        import_image(path)
    with pytest.raises(ImageError):
        thumbnail_png(path, 32)


def test_zero_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert refused(tmp_path / "empty.png").title == "The file is empty"


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (b"Dear Sir or Madam, this is a letter and no picture at all.", "Not an image"),
        (b"%PDF-1.7\n" + bytes(100), "This is a PDF document"),
        (b"\x00\x00\x00\x1cftypheic" + bytes(100), "The image is damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "This is a PostScript file"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "This is an SVG drawing"),
        (b"PK\x03\x04" + bytes(100), "This is a ZIP archive or an office document"),
        (b"\x89PNG\r\n\x1a\n", "The image is damaged"),
        (b"\xff\xd8\xff\xe0", "The image is damaged"),
    ],
)
def test_what_is_no_image_is_named(tmp_path: Path, data: bytes, title: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    assert refused(path).title == title


def test_a_folder_a_pipe_and_nothing_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path).title == "This is a folder"
    assert refused(tmp_path / "gone.png").title == "The file is not there"
    assert refused(Path("with\0null.png")).title == "The file can't be read"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        assert refused(tmp_path / "pipe.png").title == "This is not a file"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of Windows are made otherwise")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    """Root may read everything, so as root another user's process tries."""
    path = tmp_path / "secret.png"
    corners().save(path)
    path.chmod(0)
    if os.geteuid():
        assert refused(path).title == "The file can't be read"
        return
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    code = (
        "import os, sys; from pathlib import Path; from diffdesk.documents.images import open_image\n"
        "os.setuid(65534)\n"
        "try: open_image(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error.title)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "ImageError The file can't be read"


def test_a_file_of_many_megabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.bmp"
    with path.open("wb") as file:
        file.truncate(image_guard.MAX_FILE_BYTES + 1)
    assert refused(path).title == "The file is too large"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]), data=st.data())
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_whatever_is_broken_in_a_file_it_opens_or_is_refused(kind: str, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    corners().save(buffer, kind)
    broken = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    # Anything but an ImageError fails the test by itself.
    with suppress(ImageError):
        assert import_image(bytes(broken)).data == bytes(broken)


# --- small and imported -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_thumbnail_fits_its_box_and_keeps_its_shape(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (2000, 500), BLUE).save(tmp_path / f"wide{suffix}")
    with Image.open(io.BytesIO(thumbnail_png(tmp_path / f"wide{suffix}", 96))) as small:
        assert (small.format, small.size) == ("PNG", (96, 24))
        assert near(small.convert("RGB").getpixel((40, 10)), BLUE)


def test_a_thumbnail_is_never_larger_than_the_image(tmp_path: Path) -> None:
    corners().save(tmp_path / "tiny.png")
    with Image.open(io.BytesIO(thumbnail_png(tmp_path / "tiny.png", 96))) as small:
        assert small.size == (20, 10)


def test_importing_keeps_the_original_bytes(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpeg"
    corners().save(path)
    from_file, pasted = import_image(path), import_image(path.read_bytes())
    assert from_file.data == path.read_bytes()
    assert from_file == pasted
    assert from_file.suffix == ".jpg"
    assert from_file.facts == ImageFacts(20, 10, "JPEG")


def test_pasted_nonsense_is_refused_without_the_name_of_a_file() -> None:
    with pytest.raises(ImageError, match="The pasted image is not a PNG"):
        import_image(b"this was text")


def test_png_bytes_hold_the_same_pixels() -> None:
    with Image.open(io.BytesIO(to_png_bytes(corners()))) as again:
        assert np.array_equal(np.asarray(again), np.asarray(corners()))
