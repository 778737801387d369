"""An image of a message is shown large, also where Qt alone can't open it."""

from __future__ import annotations

from pathlib import Path

import pillow_heif
from PIL import Image
from pytestqt.qtbot import QtBot

from diffdesk.ui.image_dialog import load_large
from diffdesk.ui.views import ImageView


def test_a_heic_photo_is_shown_and_not_its_thumbnail(qtbot: QtBot, tmp_path: Path) -> None:
    del qtbot
    pillow_heif.from_pillow(Image.new("RGB", (600, 400), (0, 0, 255))).save(tmp_path / "a.heic")
    shown = load_large(ImageView("key", tmp_path / "a.heic", "a.heic", 600, 400))
    assert (shown.width(), shown.height()) == (600, 400)
    assert shown.toImage().pixelColor(300, 200).blue() > 240


def test_a_file_that_is_gone_is_shown_as_nothing(qtbot: QtBot, tmp_path: Path) -> None:
    del qtbot
    assert load_large(ImageView("key", tmp_path / "gone.png", "gone.png", 600, 400)).isNull()
