"""`python -m local`."""

import sys

try:
    from local.cli.app import main

    main()
except KeyboardInterrupt:  # before the command line is there to hear of it
    sys.exit(130)
