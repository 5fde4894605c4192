"""images.lock.yaml: what the names in images.yaml meant when they were looked up, for builds that use exactly that."""

from rocmimg.lock.file import Lock, lock_path, read_lock, write_lock
from rocmimg.lock.pin import Missing, pin

__all__ = ["Lock", "Missing", "lock_path", "pin", "read_lock", "write_lock"]
