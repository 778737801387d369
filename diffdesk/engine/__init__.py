"""The process that holds a model: frames on two pipes, its main loop, and the client that drives it."""
