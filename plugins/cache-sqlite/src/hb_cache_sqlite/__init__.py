"""Response cache of hb in a SQLite file"""
