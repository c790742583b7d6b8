from tests.worlds import small_disk, train, world

__all__ = ["small_disk", "train", "world"]
