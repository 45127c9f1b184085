"""A throttled registry on loopback that speaks Docker Hub's token and manifest protocol."""

from local.registry.accounts import Account, Accounts
from local.registry.client import pull
from local.registry.server import Registry

__all__ = ["Account", "Accounts", "Registry", "pull"]
