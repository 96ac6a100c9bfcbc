"""What the host uses a PCI function for: disks, networks, input devices."""
