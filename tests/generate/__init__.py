"""The sample generator: its files read back by a small reader of their own, its truth counted again from them."""
