"""What a user of the bench can do something about."""

from trainer.cli.common import Failure


class Problem(Failure):
    """The bench cannot go on; the message says why and what to do."""


class Unavailable(Exception):
    """A reader cannot read here, or not this set; the message is the reason."""
