"""The colours of the window: two designed themes, and the arithmetic that keeps them readable.

Every colour is a `#rrggbb` string, so a theme is a plain value that can be compared, tested and written into a style
sheet. Knows no widget and no application.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtGui import QColor

AA, AAA, AA_GRAPHIC = 4.5, 7.0, 3.0  # contrast ratios of WCAG 2.2: 1.4.3, 1.4.6, 1.4.11

# cividis (Nuñez, Anderton, Renslow 2018, https://doi.org/10.1371/journal.pone.0199239), nine even stops.
CIVIDIS = (
    "#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#fee838",
)  # fmt: skip


def contrast(first: str, second: str) -> float:
    """The WCAG 2.2 contrast ratio of two `#rrggbb` colours, 1…21."""
    brighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def blend(over: str, under: str, share: float) -> str:
    """`share` of `over` laid on `under`, as `#rrggbb`."""
    a, b = QColor(over), QColor(under)
    parts = zip((a.red(), a.green(), a.blue()), (b.red(), b.green(), b.blue()), strict=True)
    return "#" + "".join(f"{round(x * share + y * (1 - share)):02x}" for x, y in parts)


def _luminance(colour: str) -> float:
    value = QColor(colour)
    channels = (value.redF(), value.greenF(), value.blueF())
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@dataclass(frozen=True, slots=True)
class Theme:
    """Every colour of the window, as `#rrggbb`.

    Attributes:
        window: behind everything: header, sidebar. surface: the page one reads on. raised: cards, fields, menus.
        border: a quiet line. border_strong: the edge of a control (3:1).
        accent: links, focus, the primary button. accent_text: on it. accent_soft: a quiet background of it.
        insertion, deletion: changed words, with a background each.
        noise, changing, settled, accepted: cells of the canvas; `_mark` is the second sign drawn in the cell.
        changing_text: words that still change. accepted_tint, accepted_line: behind and below a word accepted in
            this step.
        thought: cells of the thought, and the line beside it.
        certain: certainty from low to high, a part of cividis that can be seen on `surface`.
        code_*: the parts of highlighted code on `code_background`.
    """

    name: str
    is_dark: bool
    window: str
    surface: str
    raised: str
    hover: str
    text: str
    text_muted: str
    border: str
    border_strong: str
    accent: str
    accent_text: str
    accent_soft: str
    danger: str
    danger_soft: str
    warning: str
    warning_soft: str
    ok: str
    ok_soft: str
    selection: str
    code_background: str
    code_keyword: str
    code_string: str
    code_number: str
    code_name: str
    code_comment: str
    insertion: str
    insertion_background: str
    deletion: str
    deletion_background: str
    noise: str
    noise_mark: str
    changing: str
    changing_mark: str
    changing_text: str
    settled: str
    settled_mark: str
    accepted: str
    accepted_mark: str
    accepted_line: str
    accepted_tint: str
    thought: str
    certain: tuple[str, ...]

    def certainty_colour(self, share: float) -> QColor:
        """The colour for a certainty from 0 (none) to 1 (full)."""
        place = min(max(share, 0.0), 1.0) * (len(self.certain) - 1)
        low = min(int(place), len(self.certain) - 2)
        return QColor(blend(self.certain[low + 1], self.certain[low], place - low))

    def with_accent(self, accent: str) -> Theme:
        """The same theme around another accent, moved towards readable where it is too near the background."""
        accent = _readable(accent, (self.window, self.surface, self.raised), is_dark=self.is_dark)
        soft = blend(accent, self.surface, 0.16 if self.is_dark else 0.10)
        accent = _readable(accent, (self.window, self.surface, self.raised, soft), is_dark=self.is_dark)
        dark_ink, light_ink = "#0d0f16", "#ffffff"
        ink = dark_ink if contrast(dark_ink, accent) > contrast(light_ink, accent) else light_ink
        return replace(
            self,
            accent=accent,
            accent_text=ink,
            accent_soft=soft,
            selection=self._selection(accent),
            changing=blend(accent, self.surface, 0.36 if self.is_dark else 0.34),
            changing_mark=accent,
            settled=accent,
            settled_mark=ink,
        )

    def _selection(self, accent: str) -> str:
        """As much of the accent behind selected text as the text on it allows."""
        shares = (0.24, 0.20, 0.16, 0.12, 0.08)
        tints = [blend(accent, self.surface, share) for share in shares]
        fit = (tint for tint in tints if contrast(self.text, tint) >= AAA and contrast(self.text_muted, tint) >= AA)
        return next(fit, tints[-1])


def _readable(colour: str, backgrounds: tuple[str, ...], *, is_dark: bool) -> str:
    """`colour`, made lighter (dark theme) or darker until it reads as text on every background."""
    goal = "#ffffff" if is_dark else "#000000"
    for percent in range(0, 101, 4):
        candidate = blend(goal, colour, percent / 100)
        if all(contrast(candidate, one) >= AA for one in backgrounds):
            return candidate
    return goal


LIGHT = Theme(
    name="light",
    is_dark=False,
    window="#f4f5f9",
    surface="#ffffff",
    raised="#fbfbfe",
    hover="#e8eaf2",
    text="#1a1d29",
    text_muted="#545a6e",
    border="#dcdfe9",
    border_strong="#858ba1",
    accent="#4350c8",
    accent_text="#ffffff",
    accent_soft="#eceefa",
    danger="#a8261c",
    danger_soft="#fdecea",
    warning="#724c00",
    warning_soft="#fff2d2",
    ok="#17663a",
    ok_soft="#e0f4e8",
    selection="#d9dcf4",
    code_background="#f3f4f9",
    code_keyword="#5a32a3",
    code_string="#17663a",
    code_number="#8a3a00",
    code_name="#1f4fa8",
    code_comment="#5b6176",
    insertion="#0b5b50",
    insertion_background="#d6f3ec",
    deletion="#97290f",
    deletion_background="#fde6dd",
    noise="#eceef5",
    noise_mark="#7c8299",
    changing="#c0c5ed",
    changing_mark="#4350c8",
    changing_text="#4a5066",
    settled="#4350c8",
    settled_mark="#ffffff",
    accepted="#f6b73c",
    accepted_mark="#6b4300",
    accepted_line="#8a5800",
    accepted_tint="#ffefc9",
    thought="#0e6f74",
    certain=("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678"),
)

DARK = Theme(
    name="dark",
    is_dark=True,
    window="#12141b",
    surface="#181b24",
    raised="#212531",
    hover="#2a2f3d",
    text="#e9ebf3",
    text_muted="#a9afc3",
    border="#2f3545",
    border_strong="#757c95",
    accent="#9dabff",
    accent_text="#0d0f16",
    accent_soft="#2d3247",
    danger="#ffb1a8",
    danger_soft="#40211f",
    warning="#f3cb76",
    warning_soft="#382d13",
    ok="#85d8a5",
    ok_soft="#17352a",
    selection="#383e58",
    code_background="#13161e",
    code_keyword="#c9adff",
    code_string="#8fd8a8",
    code_number="#f5b98a",
    code_name="#93bfff",
    code_comment="#969cb2",
    insertion="#8fe0cf",
    insertion_background="#143a35",
    deletion="#ffb59f",
    deletion_background="#45241a",
    noise="#262b38",
    noise_mark="#7b829b",
    changing="#484f73",
    changing_mark="#9dabff",
    changing_text="#b3b8ca",
    settled="#9dabff",
    settled_mark="#0d0f16",
    accepted="#ffcf66",
    accepted_mark="#5c3b00",
    accepted_line="#ffcf66",
    accepted_tint="#453711",
    thought="#63c7c9",
    certain=("#707173", "#8a8678", "#a59c74", "#c3b369", "#dfcc55", "#fee838"),
)
