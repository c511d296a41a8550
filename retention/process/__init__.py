"""What a process inherits and how it stops: streams, signals, descriptors."""
