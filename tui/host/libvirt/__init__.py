"""Domains: read, started, stopped and edited through libvirt."""
