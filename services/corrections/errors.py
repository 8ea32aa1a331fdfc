"""What can go wrong with corrections."""


class StoreError(Exception):
    """Corrections cannot be read or written; the message says why."""


class NoSuchCorrectionError(StoreError):
    """There is none of this id."""
