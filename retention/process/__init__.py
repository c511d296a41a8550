"""The process itself: its streams and descriptors, its signals, and its end."""
