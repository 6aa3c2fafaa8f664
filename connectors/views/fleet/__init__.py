"""The fleet: every connector of every company that a member of staff may see, on one page, and what is done to many."""
