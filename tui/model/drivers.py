"""Which driver means what for a function: with VFIO, with the host, or with nobody."""

from __future__ import annotations

STUBS = ("pci-stub",)
"""Drivers that only keep a function from all others (kernel: drivers/pci/pci-stub.c)."""


def on_vfio(driver: str | None) -> bool:
    """Whether the driver is VFIO's: vfio-pci, or a variant such as nvgrace-gpu-vfio-pci or
    mlx5_vfio_pci (kernel: drivers/vfio/pci)."""
    return driver is not None and (
        driver.startswith("vfio") or driver.endswith(("vfio-pci", "vfio_pci"))
    )


def with_host(driver: str | None) -> bool:
    """Whether the driver is one that the host uses the function with."""
    return driver is not None and driver not in STUBS and not on_vfio(driver)
