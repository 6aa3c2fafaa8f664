"""The Microsoft Entra ID connector; stands on tenants."""
