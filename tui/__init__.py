"""vfiotop: top for GPU passthrough."""

__version__ = "0.1.0"
