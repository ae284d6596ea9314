"""``python -m deploy.reference``: write the reference pages."""

from __future__ import annotations

from deploy.reference import write

if __name__ == "__main__":
    write()
