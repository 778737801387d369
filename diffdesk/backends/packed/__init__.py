"""Folders whose experts NVIDIA's ModelOpt packed into 4 bits, run as they are on one NVIDIA GPU.

transformers 5.23 doesn't know the layout: it warns, skips it and leaves the experts random. So these folders have a
loader and a step of their own, inside the Transformers backend: the vision tower and the tokenizer are the same.
"""
