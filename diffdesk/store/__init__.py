"""What is kept between two starts: conversations and their runs, pages of the desk, sheets of rows, attachments, state.

The only place that knows SQLite. Everything else talks to a `Store` and gets frozen rows.
"""

from __future__ import annotations

from diffdesk.store.database import set_aside
from diffdesk.store.desk_rows import Corrected, DeskContent, DeskRow, DeskState, NewPage, Outcome
from diffdesk.store.facade import Store
from diffdesk.store.failures import DamagedStoreError, NewerStoreError
from diffdesk.store.rewrite_rows import NewSheet, OwnPreset, RewriteRow, RowState, SheetRow
from diffdesk.store.rows import (
    AttachmentRow,
    ConversationRow,
    DraftRow,
    MessageRow,
    RunRow,
    SearchHit,
)

__all__ = [
    "AttachmentRow",
    "ConversationRow",
    "Corrected",
    "DamagedStoreError",
    "DeskContent",
    "DeskRow",
    "DeskState",
    "DraftRow",
    "MessageRow",
    "NewPage",
    "NewSheet",
    "NewerStoreError",
    "Outcome",
    "OwnPreset",
    "RewriteRow",
    "RowState",
    "RunRow",
    "SearchHit",
    "SheetRow",
    "Store",
    "set_aside",
]
