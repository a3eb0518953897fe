# Copyright (c) 2021 Ada Example
"""Averages of sequences of numbers."""


def mean(values):
    """The arithmetic mean; zero for nothing at all."""
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def weighted_mean(values, weights):
    total = sum(weights)
    if not total:
        raise ValueError("the weights sum to zero")
    return sum(value * weight for value, weight in zip(values, weights)) / total


def running_mean(stream):
    """After each value the mean of all so far, without keeping them."""
    count, so_far = 0, 0.0
    for value in stream:
        count += 1
        so_far += (value - so_far) / count
        yield so_far
