"""What every test of routes may ask for."""

from .support import house as house
