"""The live canvas: the strip of cells, the text that denoises, the message around them, and the replay."""

from diffdesk.ui.canvas.live_message import LiveMessage, MarkdownSetter
from diffdesk.ui.canvas.replay import ReplayBar, ReplayDialog
from diffdesk.ui.canvas.strip import CanvasStrip
from diffdesk.ui.canvas.text import CanvasText

__all__ = ["CanvasStrip", "CanvasText", "LiveMessage", "MarkdownSetter", "ReplayBar", "ReplayDialog"]
