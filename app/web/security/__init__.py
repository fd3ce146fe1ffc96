"""Who may see what: logins, roles, limits, the audit log."""
