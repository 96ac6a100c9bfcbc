"""The program on its simulated host with a key for a dump: ``python -m tests.ui.dump_screen FILE``.

At ``!`` it writes the whole screen of Textual's compositor to the file, as Textual would write it
to a terminal, and a mark to the terminal.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from tui import __main__ as entry
from tui import app
from tui.app import VfiotopApp


def main(file: str) -> None:
    count = 0

    def dump(dumping: VfiotopApp) -> None:
        nonlocal count
        count += 1
        compositor = dumping.screen._compositor
        not_written = compositor._dirty_regions.copy()
        update = compositor.render_full_update()
        compositor._dirty_regions |= not_written
        width, height = dumping.size
        console = Console(color_system="truecolor", force_terminal=True, width=width, height=height)
        Path(file).write_text(update.render_segments(console), encoding="utf-8")
        driver = dumping._driver
        assert driver is not None
        driver.write(f"\x1b]2;dumped {count}\x07")

    class DumpingApp(VfiotopApp):
        CSS_PATH = str(Path(app.__file__).with_name("app.tcss"))

        def on_mount(self) -> None:
            self.bind("exclamation_mark", "dump")

        def action_dump(self) -> None:
            dump(self)

    app.VfiotopApp = DumpingApp  # type: ignore[misc]
    sys.argv = ["vfiotop", "--demo"]
    entry.main()


if __name__ == "__main__":
    main(sys.argv[1])
