"""``python -m amparo.cli``."""

import sys

from . import main

sys.exit(main())
