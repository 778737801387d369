"""DiffDesk: a desktop program for DiffusionGemma, a language model that writes by denoising."""

__version__ = "0.1.0"
