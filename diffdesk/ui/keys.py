"""The keys of the window: one table, from which shortcuts are bound and the dialog of keys is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """A key and what it does. `name` says which action it is bound to; empty if a widget handles it itself."""

    name: str
    keys: tuple[str, ...]
    text: str
    group: str


KEYS: tuple[Key, ...] = (
    Key("send", ("Ctrl+Return", "Ctrl+Enter"), "Send, from anywhere", "Writing"),
    Key("", ("Return",), "Send", "Writing"),
    Key("", ("Shift+Return",), "New line", "Writing"),
    Key("stop", ("Esc",), "Stop the answer", "Writing"),
    Key("edit_last", ("Ctrl+E",), "Edit the last message", "Writing"),
    Key("rewrite", ("Ctrl+Shift+E",), "Rewrite the selected part", "Writing"),
    Key("", ("Ctrl+Z",), "Undo a rewriting", "Writing"),
    Key("", ("Alt+Up", "Alt+Down"), "My earlier prompts", "Writing"),
    Key("open", ("Ctrl+O",), "Add an image; pages on the desk, a table in the rewriter", "Writing"),
    Key("new", ("Ctrl+N",), "New conversation", "Conversations"),
    Key("search", ("Ctrl+K",), "Search everything", "Conversations"),
    Key("find", ("Ctrl+F",), "Find in this conversation", "Conversations"),
    Key("find_next", ("F3",), "Next match", "Conversations"),
    Key("find_previous", ("Shift+F3",), "Previous match", "Conversations"),
    Key("rename", ("F2",), "Rename the conversation", "Conversations"),
    Key("", ("Del",), "Delete the conversation, in the list", "Conversations"),
    Key("", ("Up", "Down"), "From message to message", "Conversations"),
    Key("", ("Home", "End"), "First and last message", "Conversations"),
    Key("", ("J", "K"), "Next and previous change", "Correction desk"),
    Key("", ("W", "Shift+W"), "Next and previous uncertain word", "Correction desk"),
    Key("", ("A", "R"), "Accept or reject, and go on", "Correction desk"),
    Key("", ("Return",), "Accept and go on", "Correction desk"),
    Key("", ("E",), "Type over the word", "Correction desk"),
    Key("", ("U", "Shift+U"), "Take a decision back, make it again", "Correction desk"),
    Key("", ("N", "P"), "Next and previous page", "Correction desk"),
    Key("", ("+", "-", "0"), "Zoom of the page, full width or whole", "Correction desk"),
    Key("", ("Alt+Up", "Alt+Down"), "Move a waiting page", "Correction desk"),
    Key("", ("Del",), "Remove pages, in the queue", "Correction desk"),
    Key("", ("Ctrl+V",), "Paste images or a text as pages", "Correction desk"),
    Key("", ("J", "K"), "Next and previous row to review", "Rewriter"),
    Key("", ("A", "R"), "Accept or reject, and go on", "Rewriter"),
    Key("", ("E",), "Edit the result", "Rewriter"),
    Key("", ("U",), "Undo, without end", "Rewriter"),
    Key("", ("Ctrl+R",), "Rewrite again, with a note", "Rewriter"),
    Key("", ("Ctrl+V",), "Paste lines, where there is no table", "Rewriter"),
    Key("conversations", ("Ctrl+1",), "Conversations", "Window"),
    Key("desk", ("Ctrl+2",), "The correction desk", "Window"),
    Key("rewriter", ("Ctrl+3",), "The rewriter", "Window"),
    Key("sidebar", ("Ctrl+B",), "Show or hide the conversations", "Window"),
    Key("settings", ("Ctrl+,",), "Settings of a run", "Window"),
    Key("zoom_in", ("Ctrl++", "Ctrl+="), "Larger text", "Window"),
    Key("zoom_out", ("Ctrl+-",), "Smaller text", "Window"),
    Key("zoom_reset", ("Ctrl+0",), "Usual text size", "Window"),
    Key("keys", ("F1",), "These keys", "Window"),
    Key("quit", ("Ctrl+Q",), "Close the window", "Window"),
)
