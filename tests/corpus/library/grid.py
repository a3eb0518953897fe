"""Neighbours on a board that wraps around like a torus."""


def neighbours(row, column, height, width):
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            if down or right:
                yield (row + down) % height, (column + right) % width


def step(alive, height, width):
    crowd = {}
    for cell in alive:
        for place in neighbours(*cell, height, width):
            crowd[place] = crowd.get(place, 0) + 1
    return {cell for cell, seen in crowd.items() if seen == 3 or (seen == 2 and cell in alive)}
