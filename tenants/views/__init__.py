"""The pages of tenants: a file for each subject."""
