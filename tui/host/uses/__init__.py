"""What the host uses PCI functions and USB devices for: disks, networks, input devices."""
