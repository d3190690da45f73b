"""The collapse laboratory: small GANs that train while one watches, break as told, and are repaired."""
