"""The command line. Start at `commands`."""
