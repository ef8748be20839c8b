"""What goes wrong on one machine in a way that the user can understand and mend."""


class UserError(Exception):  # noqa: N818 - it is one, and reads so
    """Its text is all that the user is told."""
