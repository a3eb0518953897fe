"""The same solution under other names."""


def flat(zs):
    top, i = (0, 0), 0
    for k in range(1, len(zs) + 1):
        if k == len(zs) or zs[k] != zs[i]:
            top = max(top, (k - i, -i))
            i = k
    return top[0]
