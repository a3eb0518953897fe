def stub_0(argument):
    pass


def stub_1(argument):
    pass


def stub_2(argument):
    pass


def stub_3(argument):
    pass


def stub_4(argument):
    pass


def stub_5(argument):
    pass


def stub_6(argument):
    pass


def stub_7(argument):
    pass


def stub_8(argument):
    pass


def stub_9(argument):
    pass


def stub_10(argument):
    pass


def stub_11(argument):
    pass


def stub_12(argument):
    pass


def stub_13(argument):
    pass


def stub_14(argument):
    pass


def stub_15(argument):
    pass


def stub_16(argument):
    pass


def stub_17(argument):
    pass


def stub_18(argument):
    pass


def stub_19(argument):
    pass


