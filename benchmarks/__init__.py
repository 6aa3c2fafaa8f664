"""What README and CHANGELOG say about speed, as programs that measure it."""
