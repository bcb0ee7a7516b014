"""What every save is heard and scored with, and how saves are compared."""
