"""The tests, and what they share with the demo: the cast, the emulated Microsoft, the story."""
