"""How the weights that come with the studio were made. Nothing here is imported by the studio."""
