"""Who exists and who may do what; knows nothing of connectors."""
