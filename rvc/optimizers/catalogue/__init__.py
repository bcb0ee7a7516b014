"""The entries, by kin. Papers and figures were looked up one by one; arXiv ids are those of the papers, not of their namesakes."""
