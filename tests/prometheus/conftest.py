"""The tests here run only in `make prometheus`, which fetches the programs."""

import os

collect_ignore_glob = [] if os.environ.get("VFIOTOP_PROMETHEUS") else ["test_*.py"]
