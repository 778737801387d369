"""A conversation as a file that any program reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diffdesk.core.errors import StoreError
from diffdesk.core.messages import Role
from diffdesk.store import MessageRow


def as_markdown(title: str, rows: Sequence[MessageRow]) -> str:
    """A conversation as Markdown; images by their names."""
    parts = [f"# {title or 'Conversation'}"]
    for row in rows:
        who = "You" if row.role is Role.USER else "DiffusionGemma"
        images = "".join(f"*Image: {one.name}*\n\n" for one in row.attachments)
        note = f"\n\n*{row.note}*" if row.note else ""
        parts.append(f"## {who}\n\n{images}{row.text}{note}")
    return "\n\n".join(parts) + "\n"


def write_markdown(path: Path, title: str, rows: Sequence[MessageRow]) -> Path:
    """Write a conversation to `path` and give it back; raises `StoreError` where that fails."""
    try:
        path.write_text(as_markdown(title, rows), encoding="utf-8")
    except OSError as error:
        raise StoreError(
            "The file couldn't be saved",
            f"Writing {path} failed: {error.strerror or error}.",
            "Choose another place.",
            repr(error),
        ) from error
    return path
