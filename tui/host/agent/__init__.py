"""Cards inside a running guest, read through its QEMU guest agent."""
