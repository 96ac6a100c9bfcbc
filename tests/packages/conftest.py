"""The tests here run only in `make packages`."""

import os

collect_ignore_glob = [] if os.environ.get("VFIOTOP_PACKAGES") else ["test_*.py"]
