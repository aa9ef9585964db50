"""The entry of `corpus` and of `python -m corpustools`."""

import os
import signal
from typing import NoReturn


def main() -> NoReturn:
    """Load the command line and run it.

    Until it is loaded Ctrl-C ends the process at once, as it ends a program in C: there is nothing to clean up, and a
    traceback out of the middle of an import helps nobody.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Nothing here multiplies matrices. With more threads, and a limit on them, loading numpy would end the process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from corpustools.files import pipes

    # Before anything can fail: the stage behind this one has to learn of it.
    marked = pipes.mark_unfinished(1)
    from corpustools.cli.main import main

    main(marked)


if __name__ == "__main__":
    main()
