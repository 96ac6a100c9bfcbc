"""NVIDIA cards on the nvidia driver, read by a child process that holds NVML."""
