"""PCI functions, from sysfs and from the kernel events about them."""
