"""One fit in several processes, each with a device."""
