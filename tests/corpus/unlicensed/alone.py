"""No license anywhere: kept, as The Stack v2 does."""


def halve(number):
    return number / 2
