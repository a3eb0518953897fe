# SPDX-License-Identifier: MIT
"""Its own header wins over the folder's license."""


def triple(number):
    return number * 3
