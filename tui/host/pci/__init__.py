"""PCI functions, from sysfs and from the kernel events about them."""

DEVICES = "sys/bus/pci/devices"
"""The folder with a link per function (kernel: Documentation/ABI/testing/sysfs-bus-pci)."""

FUNCTIONS_LIMIT = 16384
"""PCI functions of one host; a machine full of virtual functions has a few thousand."""

GPUS_LIMIT = 1024
"""GPUs of one host, virtual ones included; each is compared with every other one."""
