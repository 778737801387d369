"""Documents: images read safely, and the recogniser that turns a picture of print into a draft.

Knows nothing of Qt, of models, of conversations and of where attachments are kept.
"""
