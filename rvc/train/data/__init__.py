"""From recordings to clips with pitch and content features, and what is to be said of the recordings."""
