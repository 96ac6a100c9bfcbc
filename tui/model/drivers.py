"""What a driver means for a function: it is with VFIO, with the host, or with nobody."""

from __future__ import annotations

from typing import Literal

DriverSide = Literal["host", "vfio", "nobody"]

VFIO_PCI = "vfio-pci"
"""The driver that a bind uses; ``is_vfio_driver`` also accepts its variants."""

VFIO_NODES = "/dev/vfio/"
"""The folder of VFIO's device nodes."""

STUB_DRIVERS = ("pci-stub",)
"""Drivers that only keep other drivers off a function. They leave its group to VFIO (kernel:
drivers/pci/pci-stub.c, driver_managed_dma)."""

LENDING_DRIVERS = ("uio_pci_generic", "igb_uio", "pciback", "xen-pciback", "pci-pf-stub")
"""Drivers that hand a function to programs, to Xen guests or to virtual functions. The host
cannot use it then, and VFIO refuses its group (kernel: drivers/uio/uio_pci_generic.c,
drivers/xen/xen-pciback, drivers/pci/pci-pf-stub.c)."""


def is_vfio_driver(driver: str | None) -> bool:
    """Whether the driver is vfio-pci, or a variant such as nvgrace-gpu-vfio-pci or
    mlx5_vfio_pci (kernel: drivers/vfio/pci)."""
    return driver is not None and (
        driver.startswith("vfio") or driver.endswith(("vfio-pci", "vfio_pci"))
    )


def driver_side(driver: str | None) -> DriverSide | None:
    """Which side a function on the driver is on; ``None`` without a driver: free for either."""
    if driver is None:
        return None
    if is_vfio_driver(driver):
        return "vfio"
    return "nobody" if driver in (*STUB_DRIVERS, *LENDING_DRIVERS) else "host"


def is_host_driver(driver: str | None) -> bool:
    """Whether the host uses a function with this driver."""
    return driver_side(driver) == "host"
