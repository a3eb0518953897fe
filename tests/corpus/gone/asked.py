"""Its owner asked not to be trained on."""


def secret_recipe():
    return ["flour", "water", "time"]
