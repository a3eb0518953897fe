"""A queue whose oldest entries fall out when it is full."""


class Ring:
    def __init__(self, capacity):
        self.capacity = capacity
        self.slots = [None] * capacity
        self.start = self.used = 0

    def push(self, item):
        end = (self.start + self.used) % self.capacity
        self.slots[end] = item
        if self.used == self.capacity:
            self.start = (self.start + 1) % self.capacity
        else:
            self.used += 1

    def __iter__(self):
        for offset in range(self.used):
            yield self.slots[(self.start + offset) % self.capacity]
