"""What people do in a browser, from sign-in to a connected company, against the portal and an emulated Microsoft."""
