"""``python -m tui`` is ``vfiotop``."""

import sys

from tui.cli import main

sys.exit(main())
