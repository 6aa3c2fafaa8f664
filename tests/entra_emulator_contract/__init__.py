"""The documented behaviours of Microsoft login and Graph, each with its source, held against the emulator."""
