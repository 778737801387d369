"""What can go wrong while texts and fonts are fetched."""


class FetchError(Exception):
    """Something could not be fetched or understood; the message says what and what to do."""
