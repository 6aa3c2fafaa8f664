"""The project: wiring of the two apps, no rules of its own."""
