"""A long PDF on the correction desk: memory, smoothness, a kill in the middle, and the export of it all.

    python tests/bench/desk_pages.py --pages 300 --out RESULT.json

Prints a table and writes one JSON object. The program runs offscreen on a profile of its own, with somebody at it who
scrolls and opens pages (`desk_user`); about half way it is killed with all of its processes and started again. Fails
where a page is missing, out of order, or was read twice. Linux and macOS only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).parents[2]))

from diffdesk.store import DeskState, Store
from tests.unit.documents.exports.pdfs import pdfium_text

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT, DPI = 874, 1240, 150  # A5
PATIENCE_SECONDS = 3600.0
_KINDS = {"engine.process": "engine", "recogniser_child": "recogniser", "pdf_child": "export"}
_NUMBER = re.compile(r"Page\s*(\d+)\b")
_SHARES = (10, 50, 100)
_AROUND = 21  # samples of which one figure is the median

_WHO = ("the keeper", "a tired clerk", "our neighbour", "the old ferryman", "his sister", "the new doctor", "nobody")
_DID = ("carried", "forgot", "had mended", "painted", "would not sell", "looked after", "found", "wrote about")
_WHAT = ("the lamp", "two wooden boxes", "a letter from home", "the broken fence", "seven apples", "the blue door")
_WHERE = ("on the pier", "before breakfast", "in the narrow street", "without a word", "near the station", "in winter")
_JOIN = (", and", "; then", ", because", ", but", ". Later", ", while")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--folder", type=Path, help="where everything is left (default: nowhere)")
    pages, out = (arguments := parser.parse_args()).pages, arguments.out
    with tempfile.TemporaryDirectory(prefix="desk-pages-") as own:
        figures = measure(pages, arguments.folder or Path(own))
    print(table(figures))
    if out is not None:
        out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


# --- the document ---------------------------------------------------------------------------------------


def page_lines(number: int) -> list[str]:
    """The text of a page, another one for each number."""
    chance = random.Random(number)
    words: list[str] = []
    while len(words) < 95:
        parts = [chance.choice(one) for one in (_WHO, _DID, _WHAT, _WHERE)]
        words += (" ".join(parts) + chance.choice(_JOIN)).split()
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > 46:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [f"Page {number}", lines[0].capitalize(), *lines[1:11]]


def make_pdf(path: Path, pages: int) -> None:
    """A PDF of pictures of printed pages."""
    font = ImageFont.truetype("DejaVuSerif.ttf", 26)

    def drawn() -> Iterator[Image.Image]:
        for number in range(1, pages + 1):
            image = Image.new("L", (WIDTH, HEIGHT), 252)
            pen = ImageDraw.Draw(image)
            for row, line in enumerate(page_lines(number)):
                pen.text((70, 120 + 52 * row), line, fill=24, font=font)
            yield image

    images = drawn()
    next(images).save(path, "PDF", save_all=True, append_images=images, resolution=DPI)


# --- one life of the program ----------------------------------------------------------------------------


@dataclass
class _Life:
    """What the program said and how it was, from its start to its end. Times are of the monotonic clock."""

    begun: float
    read: list[int] = field(default_factory=list)
    kept: list[tuple[float, int]] = field(default_factory=list)
    beats: list[tuple[str, float, float, str]] = field(default_factory=list)  # phase, late, own, doing
    beat_count: int = 0
    samples: list[tuple[float, int, dict[str, float]]] = field(default_factory=list)  # time, pages kept, MB by kind
    export: list[float] = field(default_factory=list)
    ended: float = 0.0


def live(profile: Path, pdf: Path, out: Path, until: int | None) -> _Life:
    """Run the program until so many pages are kept, then kill it; with None until it ends by itself."""
    life = _Life(time.monotonic())
    errors = (profile / "program.log").open("w+", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.desk_user", str(profile), str(pdf), str(out)],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)},
    )
    watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
    watchdog.start()
    is_over = threading.Event()
    sampler = threading.Thread(target=_sample, args=(life, process.pid, is_over), daemon=True)
    sampler.start()
    assert process.stdout is not None
    try:
        for line in process.stdout:
            _take(life, json.loads(line))
            if until is not None and len(life.kept) >= until:
                _kill_all(process)
                break
        process.wait()
    finally:
        is_over.set()
        sampler.join()
        watchdog.cancel()
        life.ended = time.monotonic()
    if until is None and process.returncode != 0:
        errors.seek(0)
        sys.exit(f"the program ended with {process.returncode}:\n{errors.read()[-3000:]}")
    errors.close()
    return life


def _take(life: _Life, said: dict[str, object]) -> None:
    now = time.monotonic()
    match said:
        case {"read": int(page)}:
            life.read.append(page)
        case {"kept": int(page)}:
            life.kept.append((now, page))
            print(f"\r{len(life.kept)} pages", end="", file=sys.stderr, flush=True)
        case {"beats": list(beats), "count": int(count)}:
            phase = "export" if life.export else "work" if life.read or life.kept else "start"
            life.beats += [(phase, late, own, doing) for late, own, doing in beats]
            life.beat_count += count if phase == "work" else 0
        case {"export": _}:
            life.export.append(now)


def _kill_all(process: subprocess.Popen[str]) -> None:
    everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for one in everyone:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)
    psutil.wait_procs(everyone[1:], timeout=30)


def _sample(life: _Life, pid: int, is_over: threading.Event) -> None:
    """Resident memory each second: of the window, and of what it started, by kind."""
    window = psutil.Process(pid)
    while not is_over.wait(1.0):
        found: dict[str, float] = {}
        with suppress(psutil.Error):
            found["window"] = window.memory_info().rss / 1e6
            for child in window.children(recursive=True):
                with suppress(psutil.Error):
                    words = " ".join(child.cmdline())
                    kind = next((name for sign, name in _KINDS.items() if sign in words), "other")
                    found[kind] = found.get(kind, 0.0) + child.memory_info().rss / 1e6
            life.samples.append((time.monotonic(), len(life.kept), found))


# --- the whole ------------------------------------------------------------------------------------------


def measure(pages: int, folder: Path) -> dict[str, Any]:
    """Both lives of the program, and what they left behind."""
    pdf, out, profile = folder / "document.pdf", folder / "searchable.pdf", folder / "profile"
    profile.mkdir(parents=True)
    make_pdf(pdf, pages)
    original = pdf.read_bytes()
    first = live(profile, pdf, out, pages // 2)
    done_before = _done(profile)
    second = live(profile, pdf, out, None)
    print(file=sys.stderr)
    lives = (first, second)
    (folder / "lives.json").write_text(json.dumps([asdict(one) for one in lives]), encoding="utf-8")
    worked = sum(life.kept[-1][0] - life.begun for life in lives)
    return {
        "pages": pages,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "load_average": [round(one, 1) for one in os.getloadavg()],
        "pdf_mb": round(len(original) / 1e6, 1),
        "seconds_a_page": round(worked / pages, 2),
        "killed_after": len(first.kept),
        "memory_mb": [_memory(life) for life in lives],
        "window_growth_mb": round(sum(_growth(life, "window") for life in lives), 1),
        "stalls": _stalls([one for life in lives for one in life.beats], sum(one.beat_count for one in lives)),
        "store": _check_store(profile, pages, lives, done_before),
        "export": _check_export(out, pages, second),
        "original_is_unchanged": pdf.read_bytes() == original,
    }


def _memory(life: _Life) -> dict[str, dict[str, float]]:
    """By kind of process: after shares of this life's pages, and the most at any time while pages were worked on."""
    kinds = sorted({kind for _, _, found in life.samples for kind in found} - {"export"})
    worked = [one for one in life.samples if not life.export or one[0] < life.export[0]]
    return {
        kind: {
            **{f"at_{share}": round(_at(life, kind, share), 1) for share in _SHARES},
            "most": round(max((found.get(kind, 0.0) for _, _, found in worked), default=0.0), 1),
            "growth": round(_growth(life, kind), 1),
        }
        for kind in kinds
    }


def _growth(life: _Life, kind: str) -> float:
    """From the first tenth of this life's pages to the last."""
    return _at(life, kind, 100) - _at(life, kind, 10)


def _at(life: _Life, kind: str, share: int) -> float:
    when = life.kept[max(0, len(life.kept) * share // 100 - 1)][0]
    known = [(abs(at - when), found[kind]) for at, _, found in life.samples if kind in found]
    return statistics.median(value for _, value in sorted(known)[:_AROUND]) if known else 0.0


def _stalls(beats: Sequence[tuple[str, float, float, str]], count: int) -> dict[str, object]:
    """How late the beats of the window's thread came while pages were worked on, in milliseconds."""
    worked = sorted((one[1:] for one in beats if one[0] == "work"), reverse=True)
    by_own = sorted(worked, key=lambda one: one[1], reverse=True)
    exported = [one[1:] for one in beats if one[0] == "export"]
    late = [one[0] for one in worked]
    place = count // 100
    return {
        "beats": count,
        "longest_ms": late[0] if late else 0.0,
        "p99_ms": late[place] if place < len(late) else 0.0,
        "over_100_ms": sum(one > 100 for one in late),
        "over_50_ms": sum(one > 50 for one in late),
        "longest_own_work_ms": by_own[0][1] if by_own else 0.0,
        "longest_in_export_ms": max((one[0] for one in exported), default=0.0),
        "worst": [list(one) for one in worked[:8]],
        "worst_by_own_work": [list(one) for one in by_own[:12]],
    }


def _done(profile: Path) -> int:
    with Store.open(profile) as store:
        return sum(one.state is not DeskState.WAITING for one in store.desk.pages())


def _check_store(profile: Path, pages: int, lives: Sequence[_Life], done_before: int) -> dict[str, object]:
    """All pages once and in order, each with its own number; none read or corrected twice. Ends the script if not."""
    with Store.open(profile) as store:
        assert store.integrity() == "ok"
        rows = store.desk.pages()
        contents = [store.desk.content(one.id) for one in rows]
    assert [one.number for one in rows] == list(range(pages)), "pages are missing or out of order"
    failed = [f"{one.name}: {one.error}" for one in rows if one.state is DeskState.FAILED]
    assert not failed, failed
    assert all(one.state in (DeskState.READY, DeskState.REVIEWED) for one in rows)
    read = [page for life in lives for page in life.read]
    kept = [page for life in lives for _, page in life.kept]
    assert len(read) == len(set(read)), "a page was read twice"
    assert len(kept) == len(set(kept)), "a page was corrected twice"
    assert len(kept) >= pages - 1, "pages were kept without being told"
    texts = [content.draft if content is not None else "" for content in contents]
    return {
        "in_order_once": True,
        "read_twice": 0,
        "done_at_the_kill": done_before,
        "with_own_number": _own_numbers(texts),
    }


def _own_numbers(texts: Sequence[str]) -> int:
    """How many pages have their own number; each of the others must at least have its own lines."""
    count = 0
    for number, text in enumerate(texts, start=1):
        found = _NUMBER.search(text)
        if found is not None and int(found[1]) == number:
            count += 1
            continue
        lines = page_lines(number)
        assert 2 * sum(line in text for line in lines) >= len(lines), f"page {number} has another text: {text}"
    return count


def _check_export(out: Path, pages: int, life: _Life) -> dict[str, object]:
    begun, ended = life.export
    during = [found for at, _, found in life.samples if begun - 1 <= at <= ended + 1]
    texts = pdfium_text(out)
    assert len(texts) == pages, f"{len(texts)} pages in the exported PDF"
    return {
        "seconds": round(ended - begun, 1),
        "child_mb": round(max((one.get("export", 0.0) for one in during), default=0.0), 1),
        "window_before_mb": round(_at(life, "window", 100), 1),
        "window_most_mb": round(max((one.get("window", 0.0) for one in during), default=0.0), 1),
        "size_mb": round(out.stat().st_size / 1e6, 1),
        "pages": len(texts),
        "with_own_number": _own_numbers([text.replace("\r\n", "\n") for text in texts]),
    }


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    stalls, export = figures["stalls"], figures["export"]
    lines = [
        f"{figures['pages']} pages, {figures['seconds_a_page']} s a page; killed after {figures['killed_after']}",
        f"{'MB':<14}{'10 %':>8}{'50 %':>8}{'100 %':>8}{'most':>8}{'growth':>8}",
    ]
    for number, life in enumerate(figures["memory_mb"], start=1):
        for kind, one in life.items():
            values = [one[key] for key in ("at_10", "at_50", "at_100", "most", "growth")]
            lines.append(f"{number}. {kind:<11}" + "".join(f"{value:8.1f}" for value in values))
    lines += [
        f"window, growth in both lives: {figures['window_growth_mb']} MB",
        f"stalls: longest {stalls['longest_ms']} ms, p99 {stalls['p99_ms']} ms, {stalls['over_100_ms']} over 100 ms; "
        f"longest work of the thread itself {stalls['longest_own_work_ms']} ms",
        f"export: {export['seconds']} s, {export['size_mb']} MB, child {export['child_mb']} MB, "
        f"window {export['window_before_mb']} to {export['window_most_mb']} MB",
        f"pages with their own number: {figures['store']['with_own_number']} in the store, "
        f"{export['with_own_number']} in the PDF",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
