"""The artifact that both functions are deployed from: what goes into it, and how it is built."""

import bootstrap  # noqa: F401 - first of all it says when this Python is too old
