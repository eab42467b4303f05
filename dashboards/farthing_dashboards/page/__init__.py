"""The local page: where the money goes, in a browser, served on loopback or as one file."""
