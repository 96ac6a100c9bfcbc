"""What the host offers for passthrough: boot, kernel options, modules, VFIO."""
