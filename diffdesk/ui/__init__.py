"""The window: widgets that draw view objects and say what the user wants. Nothing here blocks, no model is known."""
