"""One of three files of its own: the application is more than the library that it carries along, so the library's home is elsewhere."""
import os


def setting(name, otherwise=None):
    return os.environ.get(f"READER_{name.upper()}", otherwise)


def wanted_width():
    told = setting("width", "80")
    return int(told) if told.isdigit() else 80
