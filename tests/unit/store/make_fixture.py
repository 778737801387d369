"""Keeps a file of the present format for the tests of later ones.

Run it once for each released format, from the root of the checkout: ``python -m tests.unit.store.make_fixture``.
It writes ``fixtures/vN.sqlite3.gz`` and ``fixtures/vN.json``, what the file must still say after every migration to
come. A fixture that is there is left alone unless ``--replace`` is given: a released format doesn't change.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from pathlib import Path

from diffdesk.core.errors import EngineError
from diffdesk.core.events import RunStats
from diffdesk.core.messages import MessageState, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.proposals import Doubt, Proposal
from diffdesk.core.requests import TaskKind
from diffdesk.store import Corrected, DeskContent, DeskState, NewPage, NewSheet, Outcome, RewriteRow, RowState, Store
from diffdesk.store.database import FILE_NAME
from diffdesk.store.migrations import LATEST
from tests.unit.store.samples import make_run

FIXTURES = Path(__file__).parent / "fixtures"


def fill(store: Store) -> None:
    """Something in every table, in every state, with texts that are hard to keep."""
    image = store.add_attachment(b"not really a picture", ".png", width=640, height=480, name="scan.png")
    chat = store.new_conversation(TaskKind.CHAT, model="Starter").id
    question = store.add_message(
        chat, Role.USER, "Grüße aus 東京 🙂\n\n\tline two", parent_id=None, attachments=[(image.sha256, "my scan.png")]
    )
    for number, state in enumerate(one for one in MessageState if one is not MessageState.STREAMING):
        answer = store.add_message(
            chat,
            Role.ASSISTANT,
            "",
            parent_id=question.id,
            state=MessageState.STREAMING,
            model="Starter",
            parameters=GenerationParameters(canvases=3, steps=12, seed=number, thinking=True),
        )
        store.finish_message(
            answer.id,
            state,
            f"answer {number}",
            f"thought {number}",
            stats=RunStats(steps=6, canvases=1, seed=number),
            note=f"note {number}",
            error=EngineError("Title", "Text", "Remedy", "Details") if state is MessageState.FAILED else None,
            trace_events_appended=make_run(steps=6, length=32, seed=number),
        )
    correction = store.new_conversation(TaskKind.CORRECT, "Named by hand").id
    draft = store.add_message(correction, Role.USER, "teh text", parent_id=None, draft="teh text")
    left = store.add_message(correction, Role.ASSISTANT, "", parent_id=draft.id, state=MessageState.STREAMING)
    store.save_progress(left.id, "the te", "", make_run(steps=6, length=32)[:4])
    store.set_pinned(correction, True)
    store.set_archived(store.new_conversation(TaskKind.CHAT, "Archived").id, True)
    store.delete(store.new_conversation(TaskKind.CHAT, "Deleted").id)
    store.set_state("last_conversation", chat)
    store.save_draft(chat, "not sent yet", [(image.sha256, "again.png")])
    fill_sheets(store)
    fill_desk(store)


def fill_sheets(store: Store) -> None:
    """A sheet with a text in every state, and a preset of the user's own."""
    source = store.add_attachment("a,b\nGrüße,東京\n".encode(), ".csv", kind="table", name="log.csv")
    new = NewSheet("log.csv", "csv", source.sha256, ("a", "b"), len(RowState), "/somewhere/log.csv")
    sheet = store.rewrites.create(new)
    rows = [RewriteRow(number, 1, f"text {number} 🙂") for number in range(len(RowState))]
    store.rewrites.set_task(sheet.id, "Shorten it.", "shorten")
    store.rewrites.choose(sheet.id, (1,), rows)
    failure = EngineError("Title", "Text", "Remedy", "Details")
    for row, state in zip(rows, RowState, strict=True):
        error = failure if state is RowState.FAILED else None
        done = RewriteRow(row.number, row.place, row.text, f"answer {row.number}", state, f"note {row.number}", error)
        store.rewrites.save(sheet.id, [done])
    store.rewrites.save_preset("Mine", "Make it 東京.")


def fill_desk(store: Store) -> None:
    """A page in every state, the pasted one in the store."""
    pasted = store.add_attachment(b"picture", ".png", name="pasted.png")
    added = store.desk.add(
        [
            NewPage("pdf", "/scans/Grüße.pdf", 2, 3, "Grüße.pdf, page 3 of 3"),
            NewPage("image", str(pasted.path), 0, 1, "Pasted image", pasted.sha256),
            NewPage("text", "", 0, 1, "Pasted text", draft="tbe 東京 🙂"),
            NewPage("image", "/scans/broken.png", 0, 1, "broken.png"),
        ]
    )
    store.desk.save_read(added[1].id, '{"width": 1}', "tbe cat", 1.5)
    found = Corrected((Proposal(1, 2, "h", 0.75, True),), (Doubt(4, 7, 0.5),), ("Grüße.",))
    store.desk.save_corrected(added[1].id, found, Outcome(DeskState.READY, "1 change", 1), 0.5)
    store.desk.save_corrected(added[2].id, found, Outcome(DeskState.READY, "1 change", 1), 0.5)
    store.desk.save_review(added[2].id, '{"done":0,"steps":[]}', Outcome(DeskState.REVIEWED, "", 0))
    store.desk.fail(added[3].id, EngineError("Title", "Text", "Remedy", "Details"))
    store.desk.move(added[3].id, added[0].id)


def _content(content: DeskContent | None) -> list[object] | None:
    if content is None:
        return None
    proposals = [one.to_json() for one in content.proposals]
    doubts = [one.to_json() for one in content.doubts]
    return [content.page, content.draft, proposals, doubts, list(content.notes), content.review]


def describe(store: Store) -> dict[str, object]:
    """What the user would see of a store, in a form that doesn't depend on its format; times are left out."""
    shown = store.conversations() + store.conversations(is_archived=True)
    return {
        "conversations": [
            [one.id, one.title, one.place, one.model, one.is_pinned, one.is_archived, one.leaf] for one in shown
        ],
        "messages": {
            str(version.id): [
                [version.parent_id, version.role, version.text, version.thought, version.state, version.note],
                [version.model, version.draft, version.version, version.versions],
                [[file.sha256, file.suffix, file.width, file.height, file.name] for file in version.attachments],
                version.stats.to_json() if version.stats else None,
                version.parameters.to_json() if version.parameters else None,
                version.error.to_wire() if version.error else None,
                len(store.trace(version.id)),
            ]
            for one in shown
            for message in store.branch(one.id)
            for version in store.siblings(message.id)
        },
        "found": [hit.message_id for hit in store.search("gruss line")] + [len(store.search("answer"))],
        "last": store.state("last_conversation", 0),
        "sheets": [
            [
                [one.id, one.name, one.format, one.source, list(one.columns), one.row_count, list(one.chosen)],
                [one.path, one.has_header],
                [one.instruction, one.preset, one.total, one.waiting, one.undecided, one.failed],
                [
                    [
                        *(row.number, row.place, row.text, row.answer, row.state, row.note),
                        row.error.to_wire() if row.error else None,
                    ]
                    for row in store.rewrites.rows(one.id)
                ],
            ]
            for one in store.rewrites.sheets()
        ],
        "presets": [[one.name, one.instruction] for one in store.rewrites.presets()],
        "desk": [
            [
                *(one.id, one.kind, str(one.path.name), one.number, one.of, one.name, one.state, one.note),
                *(one.undecided, one.is_read, one.seconds, one.error.to_wire() if one.error else None),
                _content(store.desk.content(one.id)),
            ]
            for one in store.desk.pages()
        ],
        "draft": [[store.draft(one.id).text, list(map(list, store.draft(one.id).attachments))] for one in shown],
    }


def main() -> None:
    """Write the fixture of the present format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replace", action="store_true", help="write a fixture anew (only before its release)")
    target = FIXTURES / f"v{LATEST}.sqlite3.gz"
    if target.exists() and not parser.parse_args().replace:
        raise SystemExit(f"{target} is there already. Add a migration, or give --replace before a release.")
    FIXTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Store.open(folder) as store:
            fill(store)
        # Kept as it was closed, with an answer still streaming; what is expected is what the next start shows.
        target.write_bytes(gzip.compress((folder / FILE_NAME).read_bytes(), mtime=0))
        with Store.open(folder) as store:
            expected = json.dumps(describe(store), indent=1, ensure_ascii=False)
    target.with_name(f"v{LATEST}.json").write_text(expected + "\n", encoding="utf-8")
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
