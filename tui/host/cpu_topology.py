"""The layout of the processor: which CPUs are threads of one core, and which are isolated.

From sys/devices/system/cpu (kernel: Documentation/ABI/stable/sysfs-devices-system-cpu).
"""

from __future__ import annotations

from tui.host.cpu_sets import cpu_set
from tui.host.tree import Tree, text_of
from tui.model import CpuTopology

CPUS = "sys/devices/system/cpu"


def cpu_topology(root: Tree) -> CpuTopology | None:
    """Read the layout of the online CPUs; ``None`` if it is missing or incomplete."""
    online = cpu_set(text_of(root, f"{CPUS}/online").strip())
    if online is None:
        return None
    cores = set()
    for cpu in online:
        core = cpu_set(text_of(root, f"{CPUS}/cpu{cpu}/topology/thread_siblings_list").strip())
        if core is None or cpu not in core:
            return None
        cores.add(core)
    return CpuTopology(
        tuple(sorted(cores)),
        isolated=cpu_set(text_of(root, f"{CPUS}/isolated").strip()) or (),
        nohz_full=cpu_set(text_of(root, f"{CPUS}/nohz_full").strip()) or (),
    )
