"""What is drawn. Widgets know tui.model and Textual, nothing else of ours."""
