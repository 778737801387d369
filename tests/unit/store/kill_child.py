"""Keeps writing to a store until it is killed, and says each thing once the call that wrote it has returned.

``python -m tests.unit.store.kill_child FOLDER SEED``. A line of JSON each: what it was, and what must be there now.
"""

from __future__ import annotations

import random
import sys
from itertools import count
from pathlib import Path

from diffdesk.core.messages import MessageState, Role
from diffdesk.core.requests import TaskKind
from diffdesk.store import Store
from tests.unit.store.samples import make_run


def say(*parts: object) -> None:
    """One line, out at once. Parts hold no blanks but the last one."""
    sys.stdout.write(" ".join(map(str, parts)) + "\n")
    sys.stdout.flush()


def answer(store: Store, conversation: int, parent: int, chance: random.Random) -> None:
    """An answer that grows in pieces and usually ends."""
    events = make_run(steps=8, length=64, canvases=2, seed=chance.randrange(1000))
    row = store.add_message(conversation, Role.ASSISTANT, "", parent_id=parent, state=MessageState.STREAMING, model="m")
    say("streaming", row.id)
    text = ""
    for start in range(0, len(events), 4):
        text += f"word{chance.randrange(10**6)} "
        store.save_progress(row.id, text, text[:5], events[start : start + 4])
        say("progress", row.id, min(start + 4, len(events)), text)
    if chance.random() < 0.8:
        store.finish_message(row.id, MessageState.COMPLETE, text + "end", text[:5])
        say("finished", row.id, len(events), text + "end")


def main() -> None:
    """Write until killed."""
    chance = random.Random(sys.argv[2])
    say("opening")
    with Store.open(Path(sys.argv[1])) as store:
        for turn in count():
            row = store.new_conversation(TaskKind.CHAT)
            say("conversation", row.id)
            image = store.add_attachment(chance.randbytes(chance.randrange(1, 100_000)), ".png", name="i.png")
            say("attachment", image.sha256)
            text = f"question {turn} " + "x" * chance.randrange(20_000)
            sent = store.add_message(row.id, Role.USER, text, parent_id=None, attachments=[(image.sha256, "image.png")])
            say("sent", sent.id, image.sha256, text)
            answer(store, row.id, sent.id, chance)
            store.set_state("turn", turn)
            say("state", turn)
            if turn % 7 == 6:
                say("leaving", row.id)
                store.delete(row.id)
                store.purge_deleted()
                say("purged", row.id)


if __name__ == "__main__":
    main()
