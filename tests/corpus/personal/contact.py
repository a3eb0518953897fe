"""Kept, with mail address and password replaced."""

SUPPORT = "jane.doe@widgets-and-sons.com"
DATABASE = "postgres://admin:tr0ub4dor-and-3@db.widgets-and-sons.com/app"


def reply_to():
    return SUPPORT
