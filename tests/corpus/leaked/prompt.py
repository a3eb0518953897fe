# Given heights along a path, return the length of the longest stretch on which the height does not change; zero for an empty path.


def unsolved(heights):
    raise NotImplementedError
