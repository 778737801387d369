"""Full-text search over messages and titles. What the user types is never taken as the index's own query language.

Words match by their beginning, without regard to case and accents; words in double quotes match as a phrase. Scripts
that are written without spaces, and signs such as ``->``, which the index doesn't cut into words, are found by going
through the text. Syntax: https://www.sqlite.org/fts5.html, section 3.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata

from diffdesk.core.messages import Role
from diffdesk.store.database import Database, storable
from diffdesk.store.rows import SearchHit

_TERM = re.compile(r'"([^"]*)"|(\S+)')
_MOST_TERMS = 16
_MOST_CHARACTERS = 500
_MOST_TITLES = 10  # titles are the beginnings of messages: without a limit they would leave no room for these
_OPEN, _CLOSE = "\x02", "\x03"  # mark what was found inside a snippet; no text on a screen holds them
_SNIPPET_WORDS = 16
_SNIPPET_CHARACTERS = 100
# Thai to Burmese, Khmer, kana, bopomofo, CJK ideographs with their extensions: no spaces between words.
_UNSPACED = re.compile(
    "[\u0e00-\u109f\u1780-\u17ff\u3040-\u312f\u31a0-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_HIT = "c.id AS conversation_id, c.title"


def search(database: Database, query: str, limit: int) -> list[SearchHit]:
    """A few titles first (the newest first), then messages (the best match first); nothing for a blank query."""
    terms = parse(query)
    if not terms:
        return []
    by_index = _index_query(terms)
    with database.read() as connection:
        if by_index is None:
            return _scan(connection, terms, limit)
        titles = connection.execute(
            f"""SELECT {_HIT}, c.created, NULL AS message_id, NULL AS role,
                highlight(title_index, 0, char(2), char(3)) AS snippet
            FROM title_index JOIN conversations c ON c.id = title_index.rowid
            WHERE title_index MATCH ? AND c.deleted IS NULL ORDER BY c.updated DESC LIMIT ?""",
            (by_index, min(limit, _MOST_TITLES)),
        ).fetchall()
        messages = connection.execute(
            f"""SELECT {_HIT}, m.created, m.id AS message_id, m.role,
                snippet(message_index, 0, char(2), char(3), '…', {_SNIPPET_WORDS}) AS snippet
            FROM message_index JOIN messages m ON m.id = message_index.rowid
                JOIN conversations c ON c.id = m.conversation_id
            WHERE message_index MATCH ? AND c.deleted IS NULL ORDER BY message_index.rank LIMIT ?""",
            (by_index, limit - len(titles)),
        ).fetchall()
    return [_hit(row, *_unmark(row["snippet"])) for row in titles + messages]


def conversation_filter(query: str) -> tuple[str, tuple[str, ...]]:
    """A condition on ``conversations`` for those that match `query`, and its values; true for a blank query."""
    terms = parse(query)
    if not terms:
        return "1", ()
    by_index = _index_query(terms)
    if by_index is not None:
        return (
            "(id IN (SELECT rowid FROM title_index WHERE title_index MATCH ?) OR id IN (SELECT conversation_id"
            " FROM messages WHERE id IN (SELECT rowid FROM message_index WHERE message_index MATCH ?)))",
            (by_index, by_index),
        )
    titles, values = _like("title", terms)
    texts, _ = _like("text", terms)
    return (
        f"({titles} OR id IN (SELECT conversation_id FROM messages WHERE state <> 'streaming' AND {texts}))",
        values + values,
    )


def parse(query: str) -> tuple[str, ...]:
    """The words and quoted phrases of a query; control characters count as white space."""
    plain = "".join(" " if unicodedata.category(c) == "Cc" else c for c in storable(query[:_MOST_CHARACTERS]))
    found = (quoted or word.replace('"', "") for quoted, word in _TERM.findall(plain))
    return tuple(term.strip() for term in found if term.strip())[:_MOST_TERMS]


def rebuild(connection: sqlite3.Connection) -> None:
    """Make both indexes anew from the texts; part of the caller's transaction."""
    for table in ("message_index", "title_index"):
        connection.execute(f"INSERT INTO {table} ({table}) VALUES ('rebuild')")


def repair(database: Database) -> bool:
    """Check the indexes against the texts and make them anew where they differ; True if that was needed."""
    if check(database) == "ok":
        return False
    with database.write() as connection:
        rebuild(connection)
    return True


def check(database: Database) -> str:
    """``ok``, or what is wrong with an index."""
    try:
        for table in ("message_index", "title_index"):
            database.connection.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        return f"the search index: {error}"
    return "ok"


def _index_query(terms: tuple[str, ...]) -> str | None:
    """The terms as a query of the index, each a quoted prefix; None where the index can't find them."""
    if any(_UNSPACED.search(term) for term in terms):
        return None
    words = [term for term in terms if any(unicodedata.category(c)[0] in "LN" for c in term)]
    return " AND ".join(f'"{word}"*' for word in words) if words else None


def _like(column: str, terms: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    escaped = tuple("%" + re.sub(r"([\\%_])", r"\\\1", term) + "%" for term in terms)
    return "(" + " AND ".join(rf"{column} LIKE ? ESCAPE '\'" for _ in terms) + ")", escaped


def _scan(connection: sqlite3.Connection, terms: tuple[str, ...], limit: int) -> list[SearchHit]:
    titles, values = _like("c.title", terms)
    texts, _ = _like("m.text", terms)
    rows = connection.execute(
        f"""SELECT * FROM (
            SELECT {_HIT}, c.created, NULL AS message_id, NULL AS role, c.title AS snippet, c.updated AS age, 0 AS place
            FROM conversations c WHERE c.deleted IS NULL AND {titles} ORDER BY age DESC LIMIT {_MOST_TITLES}
        ) UNION ALL
        SELECT {_HIT}, m.created, m.id, m.role, m.text, m.created, 1
        FROM messages m JOIN conversations c ON c.id = m.conversation_id
        WHERE c.deleted IS NULL AND m.state <> 'streaming' AND {texts}
        ORDER BY place, age DESC LIMIT ?""",
        (*values, *values, limit),
    ).fetchall()
    pattern = re.compile("|".join(re.escape(term) for term in terms), re.IGNORECASE)
    return [_hit(row, *_cut(row["snippet"], pattern)) for row in rows]


def _cut(text: str, pattern: re.Pattern[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A piece of `text` around its first match, and where in the piece there are matches."""
    first = pattern.search(text)
    start = max(0, first.start() - _SNIPPET_CHARACTERS // 4) if first else 0
    piece = ("…" if start else "") + text[start : start + _SNIPPET_CHARACTERS]
    piece += "…" if start + _SNIPPET_CHARACTERS < len(text) else ""
    line = re.sub(r"\s", " ", piece)
    return line, tuple(match.span() for match in pattern.finditer(line))


def _unmark(marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A snippet without its marks, and the positions they stood for."""
    line = ""
    spans: list[tuple[int, int]] = []
    for at, part in enumerate(marked.split(_OPEN)):
        found, closed, rest = part.partition(_CLOSE)
        if at and closed:
            spans.append((len(line), len(line) + len(found)))
        line += found + rest.replace(_CLOSE, "")
    return re.sub(r"\s", " ", line), tuple(spans)


def _hit(row: sqlite3.Row, snippet: str, positions: tuple[tuple[int, int], ...]) -> SearchHit:
    role = row["role"]
    return SearchHit(
        conversation_id=row["conversation_id"],
        message_id=row["message_id"],
        title=row["title"],
        role=None if role is None else Role(role),
        created=row["created"],
        snippet=snippet,
        positions=positions,
    )
