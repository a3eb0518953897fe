import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while the imports run, Ctrl-C just ends the process; main() minds it then

from minisc.app import main

if __name__ == "__main__":
    main()
