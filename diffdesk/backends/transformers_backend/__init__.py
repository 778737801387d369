"""Runs any `DiffusionGemmaForBlockDiffusion` folder with PyTorch and transformers, on a CPU or on NVIDIA GPUs.

It drives the model's own encoder and decoder with DiffDesk's loop instead of calling `generate`, so that the KV cache
lives from turn to turn, every step can be stopped, and nothing of the size of the vocabulary leaves the device.
"""
