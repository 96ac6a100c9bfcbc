"""The terminal: what is written to it, what is read from it, and who owns it.

Textual trusts what a terminal sends, rewrites whole regions and waits for a slow terminal. Over
SSH, and when a card is at stake, we need more: to write only the cells that changed, no faster than
the terminal draws them, to deliver keys one by one, and to restore the terminal however the program
ends. Textual has no public interface for that. This package is the only one that uses its private
names, or touches the tty:

``app.TerminalApp`` (a subclass of ``textual.app.App``)
    - ``_display(screen, renderable)``: overridden. Every frame passes here on its way out.
    - ``_running``, ``_closed``, ``_batch_count``, ``_sync_available``: the conditions under
      which Textual's own ``_display`` writes; ours has to obey the same ones.
    - ``_driver``: the driver in use, for ``draw`` and ``stop_here``. Tests use another one.
    - ``_fatal_error``, ``_print_error_renderables``: overridden. Textual prints a page with the
      values of all local variables, ``_exit_renderables``; we print one line.
      ``_close_messages_no_wait`` is how its own ``_fatal_error`` ends the application.
    - ``_exception``: the error that ended it, which has no public accessor.
    - ``MessagePump._message_queue``: whether a node has messages left, which shows whether the
      last key has been handled.
    - ``_disable_notifications``, ``_disable_tooltips``: whether each screen gets a widget for them.
    - ``Screen._compose``, ``_on_screen_resume``, ``_compositor_refresh`` (all overridden),
      ``_dirty_widgets`` and ``_get_breakpoint_classes``: the first frame is styled and drawn once.
      Textual calls the handlers of all classes, so ``_on_screen_resume`` adds to its own.
    - ``_css_update_count``: which change of the theme a refresh of all styles is for.
    - ``rich.console.Console._color_system``: the depth of colour that Textual found.

``frames.FramedScreen`` (a subclass of ``textual.screen.Screen``)
    - ``_compositor_refresh``: overridden. Textual calls it to write a frame, after each layout and
      for dirty widgets; ours waits until every ``_message_queue`` is empty.
    - ``_dirty_widgets``, ``_compositor.update_widgets``: what the frame has to draw.
    - ``_layout_required``, ``_repaint_required``, ``_on_timer_update``: what the frame needs first.
    - ``Widget._layout_required``, ``_scroll_required``, ``_recompose_required``,
      ``_refresh_styles_required`` and ``_repaint_required``: what a widget has requested. If
      that is only a repaint, it is done at once.
    - ``App._batch_count``: during a batch nothing is written.

``driver.TerminalDriver`` (a subclass of ``textual.driver.Driver``, which is public)
    - ``_app``, ``_loop``, ``_mouse``, ``_size``: what its constructor keeps of its arguments.
    - ``_down_buttons``: the mouse buttons held down; a press reported twice would never leave it.
    - ``App._handle_exception``: ends the application with an error from outside its handlers.

``diff.CellBuffer``
    - ``textual._compositor``: ``CompositorUpdate``, and its kinds ``LayoutUpdate`` (``region``,
      ``strips``) and ``ChopsUpdate`` (``spans``, ``chops``, ``chop_ends``). They hold the cells
      before they become control sequences. Another kind raises ``TypeError``.

``compositor.RowCompositor`` (a subclass of ``textual._compositor.Compositor``)
    - ``_dirty_regions``: the regions of the screen that a partial update has to show.
    - ``render_partial_update`` and ``render_full_update``: overridden. ``ChopsUpdate`` and
      ``LayoutUpdate`` are what Textual's own return.
    - ``visible_widgets``: every widget on the screen, from front to back, with its region and the
      part of it that is seen. The screen itself is the last one, and fills ``size``.

``stylesheet.ParsedOnce`` (a subclass of ``textual.css.stylesheet.Stylesheet``)
    - ``_parse_rules``, ``_variables``: what is parsed, and with which values. Rules do not change
      once they are parsed; Textual's own ``_parse_cache`` relies on that, too.

``lean.lean_imports``
    - ``textual.app`` and ``textual.theme`` import seven names from ``textual.command`` and use none
      of them before the palette opens.
    - ``rich.table``, ``difflib``, ``mimetypes``: ``textual.color``, ``textual.design``,
      ``textual.suggestions`` and ``textual.app`` import them for what the screen does not use.
    - ``typing_extensions``: of its names, Textual imports only those that ``typing`` has, too.

``input`` and ``sequences``
    - ``textual._ansi_sequences.ANSI_SEQUENCES_KEYS``,
      ``textual._keyboard_protocol.FUNCTIONAL_KEYS`` and ``textual._xterm_parser.XTermParser``:
      Textual's names for keys, and its reading of one complete sequence.

Textual is therefore pinned to one version. After a change of the pin, check:

1. ``make check``: mypy reports what is gone, or has another type.
2. ``tests/ui/test_diff.py``: the cells written are those that Textual would draw.
3. ``tests/unit/terminal/test_frames.py``: a change of sizes takes one frame, in which every widget
   has drawn for its size.
4. ``tests/ui/test_on_the_terminal.py``: the whole program, on a pty, shows what Textual's
   compositor holds. It fails if frames no longer pass through ``_display``.
5. ``tests/unit/terminal/test_input.py``: keys, mouse and paste arrive under Textual's names.
6. ``tests/ui/test_keys.py``: keys are delivered one by one. It fails if ``_message_queue``
   no longer shows that an application is busy.
7. ``tests/attack/test_terminal.py``: the terminal is restored after every signal, error and
   hang, and an error is one line.
"""
