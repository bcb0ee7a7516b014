"""The speech that the recipes learn from: real and synthetic speakers, one folder each."""
