"""``diffdesk rewrite`` with the real starter model: what is written and printed, exit codes, going on after a kill."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from diffdesk.cli.arguments import build_parser
from diffdesk.cli.main import run_command
from diffdesk.cli.progress import time_left
from diffdesk.paths import choose_places
from diffdesk.services.rewrite_journal import RewriteJournal

GERMAN = "Der schnelle Fuchs ist nicht auf den Zaun und in die Wiese gesprungen"
PATIENCE = 120.0


def no_window(seconds: float, rate: int) -> Mapping[str, object]:
    raise AssertionError


def run(folder: Path, *words: str) -> int:
    arguments = build_parser().parse_args(["rewrite", *words])
    return run_command(arguments, choose_places(folder / "profile"), no_window)


def correct(folder: Path, *words: str) -> int:
    return run(folder, *words, "--preset", "correct", "--seed", "1")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text('id;text\n1;"Tbe quiek; brown fox"\n2;\n3;a d0g and a cat\n', encoding="utf-8")
    return path


def test_a_table_is_written_beside_its_source(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert correct(table.parent, str(table), "--column", "text") == 0
    out = table.with_name("in.rewritten.csv")
    assert out.read_text(encoding="utf-8").splitlines() == [
        "id;text;text (rewritten)",
        '1;"Tbe quiek; brown fox";"The quick; brown fox"',
        "2;;",
        "3;a d0g and a cat;a dog and a cat",
    ]
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{out}: 3 rows, 2 changed, 0 with errors")
    assert printed.err == ""
    assert sorted(one.name for one in table.parent.iterdir()) == ["in.csv", "in.rewritten.csv", "profile"]


def test_json_is_one_object_and_rows_with_errors_have_an_exit_code(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text(f"id,text\n1,Tbe fox\n2,{GERMAN}\n", encoding="utf-8")
    out = table.with_name("out.csv")
    assert correct(table.parent, str(table), "--column", "2", "--as", "new", "--out", str(out), "--json") == 3
    printed = capsys.readouterr()
    data = json.loads(printed.out)
    assert data.pop("seconds") > 0
    (error,) = data.pop("errors")
    assert data == {
        "rows": 2,
        "changed": 1,
        "failed": 1,
        "resumed": 0,
        "out": str(out),
        "columns": ["new"],
        "notes": [],
    }
    assert (error["row"], error["column"]) == (2, "text")
    assert "English" in error["text"]
    assert "Row 2, text: " in printed.err
    assert list(csv.reader(out.read_text(encoding="utf-8").splitlines()))[1:] == [
        ["1", "Tbe fox", "The fox"],
        ["2", GERMAN, ""],
    ]


def test_several_columns_of_a_table_without_a_header(table: Path) -> None:
    table.write_text("tbe fox,tbe dog\n", encoding="utf-8")
    out = table.with_name("out.csv")
    words = ("--no-header", "--column", "1", "--column", "column 2", "--out", str(out))
    assert correct(table.parent, str(table), *words) == 0
    assert out.read_text(encoding="utf-8") == "tbe fox,tbe dog,the fox,the dog\n"


def test_lines_of_the_standard_input_become_lines(tmp_path: Path) -> None:
    done = subprocess.run(
        [*program(tmp_path), "-", "--preset", "correct", "--seed", "1"],
        input=f"Tbe fox\r\n\r\n{GERMAN}\r\ntbe dog".encode(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.decode() == f"The fox\r\n\r\n{GERMAN}\r\nthe dog"
    assert b"Row 3" in done.stderr
    assert done.returncode == 3


def test_lines_in_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Tbe fox\ntbe dog\n")))
    assert correct(tmp_path, "-", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["lines"], data["out"]) == (["The fox", "the dog"], None)


def test_the_presets_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--list-presets") == 0
    assert "shorten" in capsys.readouterr().out
    assert run(tmp_path, "--list-presets", "--json") == 0
    assert "correct" in [one["id"] for one in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Which file"),
        (("{}",), "What is to be done"),
        (("{}", "--preset", "nonsense"), "no preset"),
        (("{}", "--preset", "translate"), "Which language"),
        (("{}", "--preset", "correct"), "Which column"),
        (("{}", "--preset", "correct", "--column", "txet"), "no column"),
        (("{}", "--preset", "correct", "--column", "text", "--as", "a", "--as", "b"), "don't fit"),
        (("{}", "--preset", "correct", "--column", "text", "--out", "{}"), "never overwritten"),
        (("{}", "--preset", "correct", "--column", "text", "--out", "/"), "no file"),
        (("{}", "--preset", "correct", "--column", "text", "--steps", "0"), "Steps"),
        (("{}", "--preset", "correct", "--column", "text", "--model", "missing.gguf"), ""),
        (("{}", "--instruction", "Translate it.", "--column", "text"), "can't do that"),
        (("missing.csv", "--preset", "correct"), "can't be read"),
    ],
)
def test_what_cant_be_done_as_asked_is_said(
    table: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    before = sorted(table.parent.iterdir())
    assert run(table.parent, *(word.replace("{}", str(table)) for word in words), "--json") == 2
    printed = capsys.readouterr()
    assert said in json.loads(printed.out)["error"]["title"]
    assert said in printed.err
    assert [one for one in sorted(table.parent.iterdir()) if one.name != "profile"] == before


def test_an_output_that_is_there_is_refused_and_forced(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = table.with_name("in.rewritten.csv")
    out.write_text("precious", encoding="utf-8")
    assert correct(table.parent, str(table), "--column", "text") == 2
    assert "--force" in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == "precious"
    assert correct(table.parent, str(table), "--column", "text", "--force") == 0
    assert out.read_text(encoding="utf-8").startswith("id;text;text (rewritten)")


def test_a_job_that_fails_on_the_way_has_an_exit_code(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.with_name("in.rewritten.csv.part.jsonl").mkdir()
    assert correct(table.parent, str(table), "--column", "text", "--json") == 1
    printed = capsys.readouterr()
    assert "can't be kept" in json.loads(printed.out)["error"]["title"]
    assert "--out" in printed.err


def test_a_terminal_is_told_how_long_it_takes(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert correct(table.parent, str(table), "--column", "text") == 0
    shown = terminal.getvalue().split("\r\x1b[K")
    assert [line.split(",")[0] for line in shown] == ["", *(f"Rows: {done} of 3" for done in range(4)), ""]
    assert all(line.endswith("s left") for line in shown[2:5])
    assert [time_left(seconds) for seconds in (0.2, 42, 60, 3000, 3600 * 2.5)] == [
        *("about 1 s left", "about 42 s left", "about 1 min left", "about 50 min left", "about 2 h 30 min left"),
    ]


# --- stopping and going on ------------------------------------------------------------------------------


def program(folder: Path) -> list[str]:
    return [sys.executable, "-m", "diffdesk", "--data-dir", str(folder / "profile"), "rewrite"]


def rows_in(journal: Path) -> int:
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.exists() else 0


@pytest.fixture
def long_table(tmp_path: Path) -> Path:
    """Rows that are too long to share a canvas."""
    path = tmp_path / "in.csv"
    rows = [
        f"{row},Row nurnber {row} of tbe table is a line that is lcng enough to fill its canvas" for row in range(16)
    ]
    path.write_text("id,text\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def stopped(table: Path, out: Path, how: int) -> tuple[int, str, int]:
    """Start a job, stop it by a signal once some rows are done; its exit code, what it said, rows in its journal."""
    journal = out.with_name(out.name + ".part.jsonl")
    words = [str(table), "--column", "text", "--preset", "correct", "--seed", "1", "--out", str(out)]
    process = subprocess.Popen([*program(table.parent), *words], stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    before, pulse = rows_in(journal), threading.Event()  # never set: waiting for it is the pause between two looks
    while rows_in(journal) < before + 3 and process.poll() is None:
        pulse.wait(0.02)
    process.send_signal(how)
    _, said = process.communicate()
    watchdog.cancel()
    return process.returncode, said, rows_in(journal)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals on Windows")
def test_a_job_goes_on_after_kills_without_losing_or_repeating_a_row(
    long_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straight, out = long_table.with_name("straight.csv"), long_table.with_name("out.csv")
    assert correct(long_table.parent, str(long_table), "--column", "text", "--out", str(straight)) == 0
    code, _, done = stopped(long_table, out, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert done >= 3
    assert not out.exists()
    code, said, more = stopped(long_table, out, signal.SIGINT)
    assert code == 130
    assert "the same command goes on there" in said
    assert f"Going on: {done} of 16 rows" in said
    assert more >= done + 3
    capsys.readouterr()
    assert correct(long_table.parent, str(long_table), "--column", "text", "--out", str(out), "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["rows"], data["resumed"]) == (16, more)
    assert out.read_bytes() == straight.read_bytes()
    assert not out.with_name("out.csv.part.jsonl").exists()


def test_the_journal_of_another_job_is_given_up_and_that_is_said(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = table.with_name("out.csv")
    with RewriteJournal(out.with_name("out.csv.part.jsonl"), "another", []):
        pass
    assert correct(table.parent, str(table), "--column", "text", "--out", str(out)) == 0
    assert "another job" in capsys.readouterr().err
    assert out.exists()
