"""Another of the application's own files."""


def wrapped(words, width):
    line, length = [], 0
    for word in words:
        if line and length + 1 + len(word) > width:
            yield " ".join(line)
            line, length = [], 0
        length += len(word) + bool(line)
        line.append(word)
    if line:
        yield " ".join(line)
