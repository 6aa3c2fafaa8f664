"""The demo: the whole portal on this machine over an emulated Microsoft, to look at or to play a story through.

`python -m tests.demo` stays until Ctrl-C; with `--once` it plays the story and says what happened. Needs what
production needs, nothing of the tests.
"""
