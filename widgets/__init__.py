"""Everything that draws. Widgets import tui.model and Textual, nothing else of ours."""
