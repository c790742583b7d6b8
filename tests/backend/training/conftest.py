from tests.worlds import train, world

__all__ = ["train", "world"]
