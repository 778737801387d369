"""Documents: images, pages of PDFs and tables read safely, recognisers that make a draft of a picture, files written.

Knows nothing of Qt, of models, of conversations and of where attachments are kept.
"""
