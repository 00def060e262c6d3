"""`python -m routeward` is the command `routeward`."""

import sys

from routeward.cli import main

sys.exit(main())
