"""The real recogniser in its real process: what it reads, and that its death is never the program's."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from difflib import SequenceMatcher
from pathlib import Path

import psutil
import pytest
import samples
from PIL import Image

from diffdesk.core.errors import Cancelled, ImageError, RecogniserError
from diffdesk.documents.child_process import child_command
from diffdesk.documents.images import inspect_image
from diffdesk.documents.recogniser import CHILD, Recogniser
from tests.unit.documents.drawing import LEFT_COLUMN, RIGHT_COLUMN, blank, paragraph, two_columns, write_lines

RESOURCES = Path(__file__).resolve().parents[3] / "resources" / "samples"
PATIENCE = 120.0
"""Seconds after which a test gives up; nothing is measured by it."""

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    paragraph().save(tmp_path / "page.png")
    return tmp_path / "page.png"


def wait_until(is_so: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if is_so():
            return
        tick.wait(0.02)
    raise AssertionError("it did not become so")


def running(recogniser: Recogniser, page: Path) -> int:
    """The process id of a child that has answered."""
    recogniser.recognise(page)
    assert recogniser.process_id is not None
    return recogniser.process_id


def during_work(act: Callable[[], object]) -> Callable[[], bool]:
    """A `cancelled` that never cancels, but acts once while an answer is waited for."""
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        # The first question comes before the request is sent.
        if asked == 2:
            act()
        return False

    return cancelled


# --- what it reads ----------------------------------------------------------------------------------


def test_a_paragraph_is_read_line_by_line(recogniser: Recogniser, page: Path) -> None:
    found = recogniser.recognise(page)
    assert found.text == "\n".join(LEFT_COLUMN)
    assert (found.width, found.height, found.turned) == (520, 320, 0)
    assert found.confidence > 0.9
    for number, line in enumerate(found.lines):
        left, top, right, bottom = line.box
        assert 20 <= left <= 60
        assert 300 < right <= 520
        assert top < 40 + number * 40 + 20 < bottom
        assert [word.text for word in line.words] == line.text.split()


def test_columns_under_a_headline_are_read_one_after_the_other(recogniser: Recogniser, tmp_path: Path) -> None:
    two_columns().save(tmp_path / "columns.png")
    text = recogniser.recognise(tmp_path / "columns.png").text
    headline = "A Quiet Harbour In The Early Morning"
    assert text == "\n\n".join([headline, "\n".join(LEFT_COLUMN), "\n".join(RIGHT_COLUMN)])


@pytest.mark.parametrize(
    ("turned", "how"),
    [(180, Image.Transpose.ROTATE_180), (90, Image.Transpose.ROTATE_90), (270, Image.Transpose.ROTATE_270)],
)
def test_a_page_on_its_head_or_side_is_turned(
    recogniser: Recogniser, tmp_path: Path, turned: int, how: Image.Transpose
) -> None:
    paragraph().transpose(how).save(tmp_path / "turned.png")
    found = recogniser.recognise(tmp_path / "turned.png")
    assert found.text == "\n".join(LEFT_COLUMN)
    assert (found.width, found.height, found.turned) == (520, 320, turned)
    assert found.lines[0].box[1] < 60


@pytest.mark.parametrize("degrees", [3, 1, -1, -3])
def test_a_page_that_lies_askew_keeps_its_order_and_tells_its_slant(
    recogniser: Recogniser, tmp_path: Path, degrees: int
) -> None:
    two_columns().rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white").save(tmp_path / "askew.png")
    found = recogniser.recognise(tmp_path / "askew.png")
    headline = "A Quiet Harbour In The Early Morning"
    assert found.text == "\n\n".join([headline, "\n".join(LEFT_COLUMN), "\n".join(RIGHT_COLUMN)])
    for line in found.lines:
        assert line.slant == pytest.approx(math.radians(-degrees), abs=0.012)


@pytest.mark.parametrize("kind", ["palette", "grey with a clear ground", "one bit"])
def test_pages_of_every_kind_of_pixels_are_read(recogniser: Recogniser, tmp_path: Path, kind: str) -> None:
    image = paragraph()
    if kind == "palette":
        image = image.quantize(8)
    elif kind == "one bit":
        image = image.convert("1")
    else:
        ink = image.convert("L").point(lambda value: 255 - value)
        image = Image.new("LA", image.size)
        image.putalpha(ink)
    image.save(tmp_path / "kind.png")
    assert recogniser.recognise(tmp_path / "kind.png").text == "\n".join(LEFT_COLUMN)


def test_a_page_without_text_has_no_lines(recogniser: Recogniser, tmp_path: Path) -> None:
    blank(300, 200).save(tmp_path / "blank.png")
    found = recogniser.recognise(tmp_path / "blank.png")
    assert (found.lines, found.text, found.width, found.height) == ((), "", 300, 200)


def test_boxes_of_a_large_page_are_in_its_own_pixels(recogniser: Recogniser, tmp_path: Path) -> None:
    large = blank(5000, 1200)
    write_lines(large, ["A very large page"], (1000, 600), size=200)
    large.save(tmp_path / "large.png")
    found = recogniser.recognise(tmp_path / "large.png")
    assert found.text == "A very large page"
    assert (found.width, found.height) == (5000, 1200)
    left, top, right, bottom = found.lines[0].box
    assert 850 < left < 1100
    assert 2500 < right < 3200
    assert 500 < top < 700 < bottom < 950


def test_the_sample_image_is_small_and_read_with_few_slips(recogniser: Recogniser) -> None:
    path = RESOURCES / "sample.png"
    assert path.stat().st_size < 200_000
    text = recogniser.recognise(path).text
    printed = "\n".join(samples.PRINTED)
    assert 0.9 < SequenceMatcher(None, text, printed, autojunk=False).ratio() < 1.0


# --- bad images -------------------------------------------------------------------------------------


def test_a_bad_file_is_refused_without_starting_a_process(tmp_path: Path) -> None:
    (tmp_path / "letter.png").write_text("Dear Sir or Madam")
    fresh = Recogniser()
    with pytest.raises(ImageError, match="Not an image"):
        fresh.recognise(tmp_path / "letter.png")
    assert fresh.process_id is None
    fresh.close()


def test_damage_that_only_shows_in_the_child_is_told_and_it_lives_on(recogniser: Recogniser, page: Path) -> None:
    before = running(recogniser, page)
    cut = page.with_name("cut.jpg")
    two_columns().save(cut)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    assert inspect_image(cut).width == 900
    with pytest.raises(ImageError, match="damaged"):
        recogniser.recognise(cut)
    assert recogniser.process_id == before


# --- death and rest ---------------------------------------------------------------------------------


@posix_only
@pytest.mark.parametrize(
    ("number", "title"),
    [(signal.SIGKILL, "The text recogniser was ended"), (signal.SIGSEGV, "The text recogniser crashed")],
)
def test_a_child_that_dies_at_work_is_told_and_started_again(
    recogniser: Recogniser, page: Path, number: signal.Signals, title: str
) -> None:
    child = running(recogniser, page)
    with pytest.raises(RecogniserError) as caught:
        recogniser.recognise(page, during_work(lambda: os.kill(child, number)))
    assert caught.value.title == title
    assert caught.value.remedy
    assert f"exit code {-number}" in caught.value.details
    if number == signal.SIGSEGV:
        assert "Fatal Python error: Segmentation fault" in caught.value.details
    assert not psutil.pid_exists(child)
    assert recogniser.recognise(page).text == "\n".join(LEFT_COLUMN)
    assert recogniser.process_id != child


@posix_only
def test_a_child_that_died_at_rest_is_started_again_unseen(recogniser: Recogniser, page: Path) -> None:
    child = running(recogniser, page)
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: recogniser.process_id is None)
    assert recogniser.recognise(page).text == "\n".join(LEFT_COLUMN)


def test_cancelling_kills_the_child_and_the_next_call_works(recogniser: Recogniser, page: Path) -> None:
    child = running(recogniser, page)
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        recogniser.recognise(page, lambda: next(answers))
    assert not psutil.pid_exists(child)
    assert recogniser.recognise(page).text == "\n".join(LEFT_COLUMN)


def test_a_call_cancelled_before_it_begins_leaves_the_child_alone(recogniser: Recogniser, page: Path) -> None:
    child = running(recogniser, page)
    with pytest.raises(Cancelled):
        recogniser.recognise(page, lambda: True)
    assert recogniser.process_id == child


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits another process's memory")
def test_too_little_memory_is_told_and_passes(recogniser: Recogniser, tmp_path: Path, page: Path) -> None:
    large = blank(3000, 3000)
    write_lines(large, LEFT_COLUMN * 8, (100, 100), size=44, pitch=58)
    large.save(tmp_path / "large.png")
    child = psutil.Process(running(recogniser, page))
    used = child.memory_info().vms
    child.rlimit(psutil.RLIMIT_AS, (used + 40_000_000, psutil.RLIM_INFINITY))
    with pytest.raises(RecogniserError) as caught:
        recogniser.recognise(tmp_path / "large.png")
    # Native code may end the process instead of reporting.
    assert caught.value.title in {"Not enough memory to recognise text", "The text recogniser crashed"}
    assert "smaller" in caught.value.remedy
    if child.is_running():
        child.rlimit(psutil.RLIMIT_AS, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    assert recogniser.recognise(page).text == "\n".join(LEFT_COLUMN)


def test_a_child_that_has_grown_makes_way_for_a_new_one(page: Path) -> None:
    growing = Recogniser(idle_seconds=600, most_bytes=1)
    first = growing.recognise(page)
    assert first.lines
    assert growing.recognise(page) == first
    growing.close()


def test_an_idle_child_ends_and_is_started_again(page: Path) -> None:
    blank(60, 60).save(page)
    # So short a rest also makes requests meet a child that is just ending.
    resting = Recogniser(idle_seconds=0.05)
    first = running(resting, page)
    wait_until(lambda: resting.process_id is None)
    for _ in range(2):
        assert resting.recognise(page).lines == ()
    wait_until(lambda: resting.process_id is None)
    assert not psutil.pid_exists(first)
    resting.close()


def test_closing_ends_a_call_that_waits_and_every_later_one(page: Path) -> None:
    closing = Recogniser()
    with pytest.raises(Cancelled):
        closing.recognise(page, during_work(closing.close))
    assert closing.process_id is None
    with pytest.raises(Cancelled):
        closing.recognise(page)
    closing.close()


def test_threads_take_turns(recogniser: Recogniser, page: Path, tmp_path: Path) -> None:
    two_columns().save(tmp_path / "columns.png")
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(recogniser.recognise, [page, tmp_path / "columns.png", page]))
    assert [one.width for one in found] == [520, 900, 520]
    assert found[0] == found[2]


def test_a_thread_that_waits_for_its_turn_can_be_cancelled(recogniser: Recogniser, page: Path) -> None:
    waiting: list[BaseException] = []

    def second() -> None:
        try:
            recogniser.recognise(page, lambda: True)
        except Cancelled as error:
            waiting.append(error)

    def run_second() -> None:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(PATIENCE)

    # The first call holds its turn while the second gives up.
    assert recogniser.recognise(page, during_work(run_second)).lines
    assert len(waiting) == 1


# --- the process itself -----------------------------------------------------------------------------


def test_the_child_ends_with_its_input() -> None:
    child = subprocess.Popen(
        child_command(CHILD, "--idle-seconds", "600"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=RESOURCES.parents[1],
    )
    out, _ = child.communicate(timeout=PATIENCE)
    assert (child.returncode, out) == (0, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="asks for another process's sockets")
def test_the_child_has_no_socket_and_can_make_none(recogniser: Recogniser, page: Path) -> None:
    assert psutil.Process(running(recogniser, page)).net_connections(kind="all") == []
    code = (
        "import sys, socket; from diffdesk.documents import recogniser_child as child\n"
        "sys.addaudithook(child._refuse_network)\n"
        "for make in (socket.socket, lambda: socket.getaddrinfo('localhost', 80)):\n"
        "    try: make()\n"
        "    except PermissionError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("uses no network") == 2


def test_what_native_code_prints_does_not_reach_the_frames() -> None:
    code = (
        "import os; from diffdesk.documents import recogniser_child as child\n"
        "frames = child._own_output()\n"
        "os.write(1, b'native noise'); print('noise', flush=True)\n"
        "frames.write(b'frame'); frames.flush()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"frame"
    assert b"native noise" in done.stderr


def test_the_client_imports_nothing_of_the_recogniser() -> None:
    code = (
        "import sys; import diffdesk.documents.recogniser\n"
        "print([name for name in ('rapidocr', 'onnxruntime', 'cv2', 'PySide6', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_recogniser_that_is_not_installed_is_told_with_the_command(tmp_path: Path, page: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=sys.platform != "win32")
    folder, name = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
    without = Recogniser(python=tmp_path / "bare" / folder / name)
    with pytest.raises(RecogniserError) as caught:
        without.recognise(page)
    assert caught.value.title == "The text recogniser is not installed"
    assert "pip install" in caught.value.remedy
    without.close()


def test_an_interpreter_that_is_not_there_is_told(tmp_path: Path, page: Path) -> None:
    without = Recogniser(python=tmp_path / "no-python")
    with pytest.raises(RecogniserError, match="can't be started"):
        without.recognise(page)
    without.close()
    with pytest.raises(ValueError, match="positive"):
        Recogniser(idle_seconds=0)
