"""Types that bound the values in our own files: the decoder refuses any others."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tui.model.address import ADDRESS

TEXT_LIMIT = 2000
"""Characters of one text."""

SECONDS_LIMIT = 1e10
"""Seconds since boot: three hundred years."""

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""As the kernel and libvirt write it."""

Text = Annotated[str, Meta(max_length=TEXT_LIMIT)]
Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Uuid = Annotated[str, Meta(pattern=rf"^{UUID}\Z")]
"""The id of a boot (random(4)) or of a domain."""

Address = Annotated[str, Meta(pattern=rf"^{ADDRESS.pattern}\Z")]
Seconds = Annotated[float, Meta(ge=0, lt=SECONDS_LIMIT)]
"""Seconds since boot."""
