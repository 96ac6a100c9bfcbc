"""The swap: moves a GPU and its companions to vfio-pci or back, as a transaction.

``plan`` and ``preflight`` are pure: what would be done, and what argues against it.
"""
