"""The two voices that come with the studio: one high, one low, both learnt from synthetic speech."""
