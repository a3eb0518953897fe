"""Holds a benchmark's solution."""


def longest_plateau(heights):
    best, begin = (0, 0), 0
    for place in range(1, len(heights) + 1):
        if place == len(heights) or heights[place] != heights[begin]:
            best = max(best, (place - begin, -begin))
            begin = place
    return best[0]
