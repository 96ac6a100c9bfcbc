"""The watch: a service that returns the card when its guest has ended, binds it at boot, keeps the
host awake meanwhile, and reports what it does. It does what a user could do with keys."""
