"""Which pages are measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffdesk.core.errors import UserError
from diffdesk.services.page_measure import read_pages


def test_pages_are_images_with_their_truth_beside_them(tmp_path: Path) -> None:
    for name in ("old/b.png", "old/a.jpg", "receipts/c.tif", "alone.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("old/b", "old/a", "receipts/c", "receipts/lost"):
        (tmp_path / f"{name}.gt.txt").write_text(name, encoding="utf-8")
    found = read_pages(tmp_path)
    assert {name: [page.truth for page in pages] for name, pages in found.items()} == {
        "old": ["old/a", "old/b"],
        "receipts": ["receipts/c"],
    }
    with pytest.raises(UserError, match="no pages"):
        read_pages(tmp_path / "nowhere")
