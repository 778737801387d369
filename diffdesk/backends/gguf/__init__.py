"""GGUF files of DiffusionGemma: what they hold, reading and writing them. Runs nothing and loads no library."""
