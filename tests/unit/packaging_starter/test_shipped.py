"""The starter's GGUF files say what its checkpoint says."""

from __future__ import annotations

import shutil
from pathlib import Path

from starter.export import PROJECTOR_FILE, export_gguf

from diffdesk.paths import starter_dir
from diffdesk.services.models import STARTER_FILE


def test_the_gguf_files_are_those_that_the_kit_makes_of_the_checkpoint(tmp_path: Path) -> None:
    copy = tmp_path / starter_dir().name  # the name of the folder goes into the files
    shutil.copytree(starter_dir(), copy, ignore=shutil.ignore_patterns("*.gguf"))
    size = export_gguf(copy)
    for name in (STARTER_FILE, PROJECTOR_FILE):
        made, shipped = (folder / name for folder in (copy, starter_dir()))
        assert made.read_bytes() == shipped.read_bytes(), f"run kit.py export, or convert {name} again"
        size -= shipped.stat().st_size
    assert size == 0
