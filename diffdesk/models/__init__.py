"""Which models there are, what they are for and what this machine can run."""
