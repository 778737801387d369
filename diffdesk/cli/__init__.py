"""The same jobs without a window: for scripts, for servers, for measuring."""
