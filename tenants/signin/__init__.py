"""How people sign in: passwords, second factors and Microsoft, over logins that only an owner's own act makes."""
