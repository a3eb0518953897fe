"""Its folder's license is not permissive."""


def double(number):
    return number * 2
