"""The local cloud's process, as ``python -m isostack.localcloud``: what it is given, see :mod:`isostack.localcloud.simulator`."""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # what is imported stays, and looking through it again and again is a third of the start

    from isostack.localcloud.simulator import main

    main(int(sys.argv[1]), *sys.argv[2:])
