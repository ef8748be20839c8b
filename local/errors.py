"""Failures on one machine that the user can understand and mend."""


class UserError(Exception):
    """Its text is all that the user sees."""
