"""Which driver means what for a function: with VFIO, with the host, or with nobody."""

from __future__ import annotations

from typing import Literal

DriverSide = Literal["host", "vfio", "nobody"]

STUB_DRIVERS = ("pci-stub",)
"""Drivers that only keep a function from all others, and leave its group to VFIO (kernel:
drivers/pci/pci-stub.c, driver_managed_dma)."""

LENDING_DRIVERS = ("uio_pci_generic", "igb_uio", "pciback", "xen-pciback", "pci-pf-stub")
"""Drivers that lend a function to programs, to guests of Xen or to virtual functions. The host
itself can do nothing with it, and VFIO takes no group with one of these (kernel:
drivers/uio/uio_pci_generic.c, drivers/xen/xen-pciback, drivers/pci/pci-pf-stub.c)."""


def is_vfio_driver(driver: str | None) -> bool:
    """Whether the driver is VFIO's: vfio-pci, or a variant such as nvgrace-gpu-vfio-pci or
    mlx5_vfio_pci (kernel: drivers/vfio/pci)."""
    return driver is not None and (
        driver.startswith("vfio") or driver.endswith(("vfio-pci", "vfio_pci"))
    )


def driver_side(driver: str | None) -> DriverSide | None:
    """Whose a function on the driver is; ``None`` without one: then it is free for either."""
    if driver is None:
        return None
    if is_vfio_driver(driver):
        return "vfio"
    return "nobody" if driver in (*STUB_DRIVERS, *LENDING_DRIVERS) else "host"


def is_host_driver(driver: str | None) -> bool:
    """Whether the driver is one that the host uses the function with."""
    return driver_side(driver) == "host"
