"""View objects for the tests of the rewriter."""

from __future__ import annotations

from collections.abc import Sequence

from diffdesk.ui.rewrite.rewrite_view import RewriteView
from diffdesk.ui.rewrite.rewrite_views import RewriteStatus, RowSign, RowView, SheetView, Work
from diffdesk.ui.views import ErrorView

FAILURE = ErrorView("The engine was killed", "Something ended it.", "Close other programs, then try again.")
SHEET = SheetView(7, "in.csv", ("id", "text"), (1,), "Shorten it.", "shorten")


def row(number: int, sign: RowSign = RowSign.REVIEW, text: str = "Tbe cat sat", answer: str = "The cat") -> RowView:
    has_answer = sign not in (RowSign.WAITING, RowSign.WORKING, RowSign.FAILED)
    error = FAILURE if sign is RowSign.FAILED else None
    return RowView((number, 1), text, answer if has_answer else "", sign, error=error)


def rows(*signs: RowSign) -> list[RowView]:
    return [row(number, sign) for number, sign in enumerate(signs)]


def fill(view: RewriteView, shown: Sequence[RowView], sheet: SheetView = SHEET) -> None:
    """Show a sheet with these rows."""
    view.show_sheet(sheet, shown)
    review = sum(one.sign is RowSign.REVIEW for one in shown)
    failed = sum(one.sign is RowSign.FAILED for one in shown)
    view.set_status(RewriteStatus(len(shown), len(shown), review, failed, Work.RETRY if failed else Work.NOTHING))
