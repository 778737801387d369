"""Documents: images and pages of PDFs read safely, and the recognisers that turn a picture of print into a draft.

Knows nothing of Qt, of models, of conversations and of where attachments are kept.
"""
