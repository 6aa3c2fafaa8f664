"""The pages of connectors, written once for both portals."""
