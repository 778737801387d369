"""The lanes between the window and everything that may take time: the engine's thread, the store's thread, a pool."""
