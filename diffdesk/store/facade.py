"""The store as one object: conversations, messages, recordings, attachments, search and small state.

Blocking, and for one thread: the thread that opens a `Store` is the only one that may use it (SQLite's binding raises
otherwise). What it returns is frozen and may go anywhere. Whatever a method wrote is on the disk when it returns.
Every method can raise `StoreError` (full disk, locked file, damage), and then nothing of that call was written, so it
may be called again. A wrong id raises `LookupError`: a bug of the caller. That only one program uses a folder is the
matter of the services.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict, Unpack

from diffdesk.core.errors import StoreError, UserError
from diffdesk.core.events import RunStats
from diffdesk.core.messages import MessageState, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import TaskKind
from diffdesk.core.trace import TraceEvent
from diffdesk.store import attachments, conversations, messages, runs, search, state
from diffdesk.store.database import Database, open_database
from diffdesk.store.desk import Desk
from diffdesk.store.failures import DamagedStoreError
from diffdesk.store.messages import Change, NewMessage
from diffdesk.store.rewrites import Rewrites
from diffdesk.store.rows import (
    AttachmentRow,
    ConversationRow,
    DraftRow,
    MessageRow,
    RunRow,
    SearchHit,
)
from diffdesk.store.state import Slot, Value

log = logging.getLogger(__name__)


class MessageDetails(TypedDict, total=False):
    """What may be said of a new message besides its words; what is left out is empty.

    `attachments` are pairs of sha256 and name in their order, `state` is `SENT` unless given, `draft` is the text that
    is to be corrected.
    """

    attachments: Sequence[tuple[str, str]]
    state: MessageState
    model: str
    draft: str
    parameters: GenerationParameters | None


class Store:
    """Everything that is kept; made by `Store.open`.

    Attributes:
        database: the file below.
        desk: the queue of the correction desk.
        rewrites: the sheets of the bulk rewriter.
        recovered: messages that a killed program had left unfinished and that are now `stopped`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.desk = Desk(database)
        self.rewrites = Rewrites(database)
        self.recovered: tuple[int, ...] = ()
        self._fresh: set[str] = set()

    @classmethod
    def open(cls, directory: Path, patience: float = 5.0) -> Store:
        """Open the store in `directory`, or make one there; checks, migrates and recovers it.

        Args:
            directory: made if missing.
            patience: seconds to wait for a lock that another program holds.

        Raises:
            StoreError: it can't be used; the text says why. A `DamagedStoreError` can be moved out of the way with
                `set_aside`; a `NewerStoreError` needs a newer program.
        """
        database = open_database(directory, patience)
        store = cls(database)
        try:
            if database.was_checked:
                search.repair(database)
            store.try_to_recover()
        except BaseException:
            database.close()
            raise
        return store

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    # Conversations

    def new_conversation(self, place: TaskKind, title: str = "", model: str = "") -> ConversationRow:
        """A new conversation without messages."""
        return conversations.create(self.database, place, title, model)

    def conversations(
        self, limit: int = 100, offset: int = 0, query: str = "", *, is_archived: bool = False
    ) -> list[ConversationRow]:
        """Pinned ones first, then the newest; with `query` those whose title or messages match it."""
        return conversations.listing(self.database, limit, offset, query, is_archived)

    def conversation(self, conversation_id: int) -> ConversationRow:
        """One conversation, a deleted one too."""
        return conversations.one(self.database, conversation_id)

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a conversation a title, cut to one line."""
        conversations.rename(self.database, conversation_id, title)

    def set_pinned(self, conversation_id: int, is_pinned: bool) -> None:
        """Pin a conversation to the top of the list, or let it go."""
        conversations.set_pinned(self.database, conversation_id, is_pinned)

    def set_archived(self, conversation_id: int, is_archived: bool) -> None:
        """Put a conversation away or take it back into the list."""
        conversations.set_archived(self.database, conversation_id, is_archived)

    def delete(self, conversation_id: int) -> None:
        """Out of the list and the search; `undelete` brings it back until `purge_deleted`."""
        conversations.delete(self.database, conversation_id)

    def undelete(self, conversation_id: int) -> None:
        """Bring a deleted conversation back."""
        conversations.undelete(self.database, conversation_id)

    def purge_deleted(self) -> int:
        """Remove what was deleted for good, and attachments that nothing uses; the number of conversations.

        Kept are the attachments of drafts and those that were added since the store was opened.
        """
        count = conversations.purge(self.database)
        self.rewrites.purge()
        self.desk.purge()
        kept = state.draft_files(self.database) | self.rewrites.files() | self.desk.files() | self._fresh
        attachments.remove_unused(self.database, kept)
        self.database.shrink()
        return count

    # Messages

    def add_message(
        self,
        conversation_id: int,
        role: Role,
        text: str,
        *,
        parent_id: int | None,
        **details: Unpack[MessageDetails],
    ) -> MessageRow:
        """Add a message below `parent_id` as the new leaf; None makes it a first message.

        The conversation moves to the top; the first message of the user gives it a title where it has none.
        """
        return messages.add(self.database, NewMessage(conversation_id, role, text, parent_id, **details))

    def update_message(
        self,
        message_id: int,
        *,
        text: str | None = None,
        thought: str | None = None,
        state: MessageState | None = None,
        note: str | None = None,
        error: UserError | None = None,
        stats: RunStats | None = None,
        draft: str | None = None,
    ) -> MessageRow:
        """Change what is given of a message."""
        return messages.update(self.database, message_id, Change(text, thought, state, note, error, stats, draft))

    def message(self, message_id: int) -> MessageRow:
        """One message."""
        return messages.one(self.database, message_id)

    def branch(self, conversation_id: int) -> list[MessageRow]:
        """The messages in view: from the first one down to the conversation's leaf."""
        return messages.branch(self.database, conversation_id)

    def siblings(self, message_id: int) -> list[MessageRow]:
        """All versions of a message, itself among them, oldest first."""
        return messages.siblings(self.database, message_id)

    def tip(self, message_id: int) -> int:
        """The end of the branch that was last continued below a message: what `set_leaf` needs to show a version."""
        return messages.tip(self.database, message_id)

    def set_leaf(self, conversation_id: int, message_id: int) -> None:
        """Show the branch that ends in a message."""
        messages.set_leaf(self.database, conversation_id, message_id)

    # Runs

    def save_progress(
        self, message_id: int, text: str, thought: str, trace_events_appended: Sequence[TraceEvent]
    ) -> None:
        """Keep how far a streaming message has come: all of its text, and the events since the last call."""
        runs.save_progress(self.database, message_id, text, thought, trace_events_appended)

    def finish_message(
        self,
        message_id: int,
        state: MessageState,
        text: str,
        thought: str = "",
        *,
        stats: RunStats | None = None,
        note: str = "",
        error: UserError | None = None,
        trace_events_appended: Sequence[TraceEvent] = (),
    ) -> MessageRow:
        """The last word on a message, with the events since the last progress, in one transaction."""
        change = Change(text, thought, state, note, error, stats)
        runs.finish(self.database, message_id, change, trace_events_appended)
        return messages.one(self.database, message_id)

    def trace(self, message_id: int) -> list[TraceEvent]:
        """The recording of a message as far as it was saved; empty if there is none."""
        return runs.trace(self.database, message_id)

    def run(self, message_id: int) -> RunRow | None:
        """What is known of the run that wrote a message; None if none was recorded."""
        return runs.one(self.database, message_id)

    def try_to_recover(self) -> None:
        """`recover`, unless there is no room for it: on a full disk conversations can still be read."""
        try:
            self.recover()
        except DamagedStoreError:
            raise
        except StoreError as error:
            log.warning("unfinished messages stay as they are: %s", error.title)

    def recover(self) -> tuple[int, ...]:
        """Make messages that are still streaming stopped ones; `open` does this. Which ones."""
        self.recovered = tuple(runs.recover(self.database))
        return self.recovered

    # Attachments

    def add_attachment(
        self,
        data: bytes,
        suffix: str,
        *,
        width: int = 0,
        height: int = 0,
        kind: str = "image",
        name: str = "",
    ) -> AttachmentRow:
        """Keep a file; the same contents again give the row that is there."""
        row = attachments.add(self.database, data, suffix, width=width, height=height, kind=kind, name=name)
        self._fresh.add(row.sha256)
        return row

    def attachment(self, sha256: str) -> AttachmentRow:
        """The attachment with these contents."""
        return attachments.one(self.database, sha256)

    def attachment_path(self, sha256: str) -> Path:
        """Where an attachment lies; it may be missing if someone removed it."""
        return attachments.one(self.database, sha256).path

    # Search, state, checks

    def search(self, text: str, limit: int = 50) -> list[SearchHit]:
        """Titles and messages in which every word of `text` begins a word; see `diffdesk.store.search`."""
        return search.search(self.database, text, limit)

    def state(self, key: str, default: Value) -> Value:
        """What was set for `key`, if it is of the type of `default`; else `default`."""
        return state.value(self.database, key, default)

    def set_state(self, key: str, value: object) -> None:
        """Remember `value` (anything with a JSON form) for `key`."""
        state.set_value(self.database, key, value)

    def draft(self, slot: Slot) -> DraftRow:
        """What was typed and not sent in a conversation, or in a place for one that isn't there yet."""
        return state.draft(self.database, slot)

    def save_draft(self, slot: Slot, text: str, attachments: Sequence[tuple[str, str]] = ()) -> None:
        """Keep what was typed; nothing typed removes the draft."""
        state.save_draft(self.database, slot, text, attachments)

    def integrity(self) -> str:
        """``ok``, or what a full check of the file and the search index finds wrong; slow on large files."""
        found = [line for line in (self.database.integrity(), search.check(self.database)) if line != "ok"]
        return "\n".join(found) or "ok"
