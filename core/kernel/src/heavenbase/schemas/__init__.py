"""JSON and its schemas: made from types, checked, and read from what models write. Pure."""
