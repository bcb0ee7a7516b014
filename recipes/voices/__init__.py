"""The two voices that come with the studio: one high, one low, neither of them a person's."""
