"""DiffusionGemma on the ggml library that llama-cpp-python brings: GGUF files as they are, on any machine."""
