"""The manual pages and shell completions, made from the parser, the table of commands and the
table of configuration keys. Not installed with the program."""
