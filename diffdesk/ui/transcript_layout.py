"""Where the items of a long list lie when most of their heights are only estimated.

Pure arithmetic: heights, the place of each item, the items in a window, and the place that must not move when a height
turns out different. Knows nothing of widgets.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place that stays where the reader sees it: `offset` pixels below the top of item `index`."""

    index: int
    offset: int


@dataclass(slots=True)
class Column:
    """Heights of items set below each other, `gap` apart, with `pad` above the first and below the last."""

    gap: int = 0
    pad: int = 16
    heights: list[int] = field(default_factory=list)
    _tops: list[int] = field(default_factory=list)
    _is_stale: bool = True

    def reset(self, heights: list[int]) -> None:
        """Begin anew with these heights."""
        self.heights = heights
        self._is_stale = True

    def insert(self, index: int, height: int) -> None:
        """A new item before the one at `index`."""
        self.heights.insert(index, height)
        self._is_stale = True

    def remove(self, index: int) -> None:
        """The item is gone."""
        del self.heights[index]
        self._is_stale = True

    def set_height(self, index: int, height: int) -> bool:
        """A measured height; True if it differs from what was assumed."""
        if self.heights[index] == height:
            return False
        self.heights[index] = height
        self._is_stale = True
        return True

    @property
    def tops(self) -> list[int]:
        """The top of each item."""
        if self._is_stale:
            tops, place = [], self.pad
            for height in self.heights:
                tops.append(place)
                place += height + self.gap
            self._tops, self._is_stale = tops, False
        return self._tops

    @property
    def total(self) -> int:
        """The height of everything."""
        if not self.heights:
            return 0
        return self.tops[-1] + self.heights[-1] + self.pad

    def window(self, top: int, bottom: int) -> range:
        """The items that touch [top, bottom)."""
        if not self.heights:
            return range(0)
        first = max(0, bisect_right(self.tops, top) - 1)
        last = max(first, bisect_right(self.tops, max(top, bottom - 1)) - 1)
        return range(first, last + 1)

    def anchor_at(self, top: int) -> Anchor:
        """The anchor of a view that begins at `top`."""
        if not self.heights:
            return Anchor(0, 0)
        index = max(0, bisect_right(self.tops, top) - 1)
        return Anchor(index, top - self.tops[index])

    def top_of(self, anchor: Anchor) -> int:
        """Where a view has to begin to show the anchor where it was."""
        if not self.heights:
            return 0
        index = min(anchor.index, len(self.heights) - 1)
        return self.tops[index] + anchor.offset
