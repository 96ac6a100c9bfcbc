"""Cards on amdgpu, i915 and xe, read from sysfs and /proc."""
