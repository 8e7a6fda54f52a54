"""The command line: it parses, wires, calls and prints."""
