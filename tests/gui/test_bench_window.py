"""The benchmark of the window measures what it says, and leaves nothing behind."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication

from diffdesk.core.trace import CanvasFrame
from diffdesk.ui.bench_window import run_bench


def test_it_measures_what_a_given_window_shows(qapp: QApplication) -> None:
    seen: list[tuple[CanvasFrame, str, str]] = []
    report = run_bench(0.4, 100, lambda *draft: seen.append(draft))
    assert set(report) == {"drafts_per_second", "frames_painted", "longest_stall_ms", "p99_9_stall_ms"}
    assert len(seen) == report["frames_painted"] > 0
    assert report["longest_stall_ms"] >= report["p99_9_stall_ms"] > 0


def test_it_opens_a_window_of_its_own_and_closes_it(qapp: QApplication) -> None:
    report = run_bench(0.3, 60)
    assert report["frames_painted"] > 0
    assert not any(window.isVisible() for window in qapp.topLevelWidgets())
