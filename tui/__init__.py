"""vfiotop: top for GPU passthrough."""

__version__ = "0.2.0"
