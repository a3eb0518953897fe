# -*- coding: latin-1 -*-
NAME = 'José'


def greet(name=NAME):
    return 'Olá ' + name
