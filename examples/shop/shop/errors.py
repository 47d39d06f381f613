"""What the shop refuses, in words for its caller."""

from __future__ import annotations


class Refused(Exception):
    """A request that cannot be done; ``status`` is the HTTP status that says so."""

    status = 400


class NotFound(Refused):
    """What the request speaks of is not there."""

    status = 404


class Conflict(Refused):
    """It cannot be done as things are now."""

    status = 409


class TooLarge(Refused):
    """More bytes than are taken."""

    status = 413


class WrongType(Refused):
    """Content of a kind that is not taken."""

    status = 415
