"""What the machine does to us, as an error for a person: a full disk, one that cannot be written, too many open files.

In: an exception, and the folder that was written. Out: a `UserError`, or nothing where it is no trouble of the machine's.
Libraries wrap what the system said (a checkpoint writer has an error of its own for a full disk), so a disk that has no room left counts
as the reason whatever the exception.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from minisc.core.errors import UserError

NO_ROOM = 256 * 1024  # bytes left: a small write fails
_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_MACHINE = _ROOM | {
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ESTALE,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
}


def of_the_machine(error: BaseException, place: Path) -> UserError | None:
    """`place`: a folder of the store, or the output folder."""
    if isinstance(error, UserError):
        return None
    left = _free(place)
    number = error.errno if isinstance(error, OSError) else None
    if number in _MACHINE and number is not None:
        said = os.strerror(number).lower()
    elif left is not None and left < NO_ROOM:
        said, number = "no space left on device", errno.ENOSPC
    else:
        return None
    room = f" ({left / 1e6:,.1f} MB free)" if left is not None and number in _ROOM else ""
    name = error.filename if isinstance(error, OSError) else None
    return UserError(
        f"cannot write: {said}{room}" if number != errno.EMFILE else f"the machine gave up: {said}", where=str(name or place),
        do="make room or choose another place with out=<folder>, and run the same line again: it goes on where it stopped",
    )  # fmt: skip


def _free(place: Path) -> int | None:
    """Bytes that are free where `place` is or will be."""
    for folder in (place, *place.absolute().parents):
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            continue
    return None
