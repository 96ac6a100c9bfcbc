"""Debian's own Prometheus, promtool and node_exporter on our metrics: `make prometheus`."""
