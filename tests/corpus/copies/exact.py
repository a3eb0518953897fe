"""Tries again, a little later each time."""
import time


def retry(action, attempts=5, first_pause=0.1, errors=(OSError,)):
    pause = first_pause
    for attempt in range(attempts):
        try:
            return action()
        except errors:
            if attempt == attempts - 1:
                raise
            time.sleep(pause)
            pause *= 2
