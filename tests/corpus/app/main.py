"""The application's own file stays, whatever it carries along."""
import sys

from vendor.library import words


def main(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for word, often in words.frequencies(file.read()).items():
                print(f"{often:8} {word}")


if __name__ == "__main__":
    main(sys.argv[1:])
