"""The swap: a GPU with its companions moves to vfio-pci or back, as a transaction.

``plan`` and ``preflight`` are pure; they say what would be done and whether it may be.
"""
